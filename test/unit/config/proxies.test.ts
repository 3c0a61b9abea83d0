import { describe, expect, test } from '@jest/globals';
import { parseProxies } from '../../../operator/config/proxies.ts';

const PROXY = 'http://proxy.example:3128';
const isProxied = (noProxy: string, host: string, port = 443): boolean =>
  parseProxies({ HTTPS_PROXY: PROXY, NO_PROXY: noProxy })(host, port) !== undefined;

describe('HTTPS_PROXY', () => {
  test.each<[string, object]>([
    [PROXY, { host: 'proxy.example', port: 3128, isSecure: false, authorization: undefined }],
    ['proxy.example:3128', { host: 'proxy.example', port: 3128, isSecure: false }],
    ['http://proxy.example', { port: 80 }],
    ['https://proxy.example/', { port: 443, isSecure: true }],
    ['HTTP://[2001:db8::1]:8080', { host: '2001:db8::1', port: 8080 }],
    [
      'http://user:p%40ss%3A@proxy.example',
      { authorization: `Basic ${Buffer.from('user:p@ss:').toString('base64')}` },
    ],
    ['http://user@proxy.example', { authorization: `Basic ${Buffer.from('user:').toString('base64')}` }],
  ])('%s is read', (text, expected) => {
    expect(parseProxies({ HTTPS_PROXY: text })('a.example', 443)).toMatchObject(expected);
    expect(parseProxies({ https_proxy: text })('a.example', 443)).toMatchObject(expected);
  });

  test.each([{}, { HTTPS_PROXY: '' }, { HTTP_PROXY: PROXY }, { NO_PROXY: 'a.example' }])(
    'is none in %j',
    (env) => {
      expect(parseProxies(env)('a.example', 443)).toBeUndefined();
    },
  );

  test.each(['socks5://user:secret@proxy.example', 'http://', 'http://user:secret@', 'ftp://secret.example'])(
    'of %s is rejected, and the message has nothing of it',
    (text) => {
      const parse = () => parseProxies({ HTTPS_PROXY: text });
      expect(parse).toThrow(/HTTPS_PROXY: must be/u);
      expect(parse).not.toThrow(/secret/u);
    },
  );
});

describe('NO_PROXY', () => {
  test.each<[noProxy: string, host: string]>([
    ['*', 'a.example'],
    ['a.example', 'a.example'],
    ['a.example', 'A.Example'],
    ['A.EXAMPLE', 'a.example'],
    ['a.example', 'a.example.'],
    ['a.example', 'b.a.example'],
    ['.a.example', 'b.a.example'],
    ['*.a.example', 'b.a.example'],
    ['x, a.example ,y', 'a.example'],
    ['x a.example', 'a.example'],
    ['a.example:443', 'a.example'],
    ['10.0.0.0/8', '10.1.2.3'],
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.3:443', '10.1.2.3'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['[::1]:443', '0:0:0:0:0:0:0:1'],
    ['fd00::/8', 'fd12::1'],
    ['localhost,127.0.0.1', '127.0.0.1'],
  ])('%s leaves out %s', (noProxy, host) => {
    expect(isProxied(noProxy, host)).toBe(false);
  });

  test.each<[noProxy: string, host: string]>([
    ['', 'a.example'],
    [',', 'a.example'],
    ['a.example', 'xa.example'],
    ['a.example', 'example'],
    ['.a.example', 'a.example'],
    ['*.a.example', 'a.example'],
    ['a.example:8443', 'a.example'],
    ['10.0.0.0/8', '11.1.2.3'],
    ['10.0.0.0/8', '10.example'],
    ['10.1.2.3:80', '10.1.2.3'],
    ['10.0.0.0/99', '10.0.0.1'],
    [':', 'a.example'],
    ['.', 'a.example'],
  ])('%s does not leave out %s', (noProxy, host) => {
    expect(isProxied(noProxy, host)).toBe(true);
  });
});
