import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DownloadError } from '../../cluster/download-error.ts';
import { type DownloadRequest, download } from '../../cluster/https-download.ts';
import {
  breaksOffIn,
  type ReleaseSite,
  redirectsTo,
  sends,
  sendsHalfOf,
  sendsHeadersOnly,
  sendsWebPage,
  startReleaseSite,
  staysSilent,
} from './release-site.ts';

const BODY = 'the bytes of a program';

describe('download', () => {
  let site: ReleaseSite;

  beforeEach(async () => {
    site = await startReleaseSite();
  });
  afterEach(() => site.close());

  const limits = { answerMs: 5_000, stallMs: 5_000, allowHttpLoopback: true };

  function get(path: string, options: Partial<DownloadRequest> = {}): Promise<string> {
    const wanted = {
      url: `${site.url}${path}`,
      maxBytes: 100,
      limits,
      env: {},
      signal: undefined,
      ...options,
    };
    return download(wanted, async ({ totalBytes, chunks }) => {
      let text = '';
      for await (const chunk of chunks) text += Buffer.from(chunk).toString();
      return `${totalBytes}: ${text}`;
    });
  }

  const failureOf = (path: string, options: Partial<DownloadRequest> = {}): Promise<DownloadError> =>
    get(path, options).then(
      (text) => Promise.reject(new Error(`unexpected success: ${text}`)),
      (error) => error,
    );

  test('passes the body and its length on', async () => {
    site.answer('/file', sends(BODY));
    expect(await get('/file')).toBe(`22: ${BODY}`);
  });

  test('follows redirects, relative ones too', async () => {
    site.answer('/file', redirectsTo(`${site.url}/cdn`));
    site.answer('/cdn', redirectsTo('edge/file?token=1'));
    site.answer('/edge/file?token=1', sends(BODY));
    expect(await get('/file')).toBe(`22: ${BODY}`);
  });

  test('ends a redirect loop', async () => {
    site.answer('/file', redirectsTo('/file'));
    expect(await failureOf('/file')).toMatchObject({
      message: `${host()}: more than 5 redirects`,
      hostFailed: true,
    });
    expect(site.requests).toHaveLength(6);
  });

  test('rejects a redirect without a target', async () => {
    site.answer('/file', (_, response) => response.writeHead(302).end());
    expect((await failureOf('/file')).message).toContain('a redirect that leads nowhere');
  });

  test('sends nothing over http, except to a loopback address if that is permitted', async () => {
    const strict = { ...limits, allowHttpLoopback: false };
    expect((await failureOf('/file', { limits: strict })).message).toBe(
      `${host()}: refused, since it is not https`,
    );
    site.answer('/file', redirectsTo('http://release.invalid/file'));
    expect((await failureOf('/file')).message).toBe('release.invalid: refused, since it is not https');
    expect(site.requests).toEqual(['/file']);
  });

  test('rejects a web page in place of a file', async () => {
    site.answer('/file', sendsWebPage);
    expect(await failureOf('/file')).toMatchObject({
      message: expect.stringContaining('a web page in place of the file'),
      hostFailed: true,
    });
  });

  test.each([
    [404, '/file does not exist (404)', false],
    [503, 'status 503', true],
    [206, 'status 206', true],
  ])('rejects status %d', async (status, reason, hostFailed) => {
    site.answer('/file', (_, response) => response.writeHead(status).end(BODY));
    expect(await failureOf('/file')).toMatchObject({ message: `${host()}: ${reason}`, hostFailed });
  });

  test('gives up on a host that accepts the connection and stays silent', async () => {
    site.answer('/file', staysSilent);
    expect(await failureOf('/file', { limits: { ...limits, answerMs: 50 } })).toMatchObject({
      message: `${host()}: no answer within 0.05 s`,
      hostFailed: true,
    });
  });

  test('gives up on a connection that is not made in time', async () => {
    const proxy = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    const env = { HTTPS_PROXY: `http://127.0.0.1:${port}` };
    const silent = { url: 'https://release.invalid/file', env, limits: { ...limits, answerMs: 50 } };
    expect((await failureOf('', silent)).message).toBe('release.invalid: no answer within 0.05 s');
    proxy.close();
    await once(proxy, 'close');
  });

  test('gives a host behind a redirect the same time for its answer', async () => {
    site.answer('/file', redirectsTo('/cdn'));
    site.answer('/cdn', staysSilent);
    const { message } = await failureOf('/file', { limits: { ...limits, answerMs: 50 } });
    expect(message).toContain('no answer within');
  });

  test('names the reason why a connection cannot be made', async () => {
    await site.close();
    expect(await failureOf('/file')).toMatchObject({
      message: expect.stringContaining('ECONNREFUSED'),
      hostFailed: true,
    });
  });

  test.each([
    ['stalls', sendsHalfOf(BODY)],
    ['never begins', sendsHeadersOnly],
  ])('gives up on a body that %s', async (_, listener) => {
    site.answer('/file', listener);
    expect(await failureOf('/file', { limits: { ...limits, stallMs: 50 } })).toMatchObject({
      message: `${host()}: the download stalled: nothing came for 0.05 s`,
      hostFailed: true,
    });
  });

  test('reports a body that breaks off', async () => {
    site.answer('/file', breaksOffIn(BODY));
    expect(await failureOf('/file')).toMatchObject({
      message: expect.stringContaining('the download broke off after 11 bytes'),
      hostFailed: false,
    });
  });

  test('rejects a body that is announced as too large before it reads it', async () => {
    site.answer('/file', sendsHalfOf('x'.repeat(101)));
    expect((await failureOf('/file')).message).toContain('/file is larger than 100 bytes');
  });

  test('rejects a body that grows too large', async () => {
    site.answer('/file', (_, response) => {
      response.writeHead(200);
      response.write('x'.repeat(101));
    });
    expect((await failureOf('/file')).message).toContain('/file is larger than 100 bytes');
  });

  test('ends with the reason of its caller', async () => {
    const caller = new AbortController();
    site.answer('/file', () => caller.abort(new Error('interrupted')));
    expect((await failureOf('/file', { signal: caller.signal })).message).toBe('interrupted');
  });

  test('asks the proxy of the environment, except for hosts in NO_PROXY', async () => {
    site.answer('/file', sends(BODY));
    const env = { HTTP_PROXY: 'http://127.0.0.1:1' };
    expect((await failureOf('/file', { env })).message).toContain('ECONNREFUSED');
    expect(await get('/file', { env: { ...env, NO_PROXY: '127.0.0.1' } })).toBe(`22: ${BODY}`);
  });

  test('names an unusable proxy without its value', async () => {
    const env = { HTTPS_PROXY: 'user:secret@proxy' };
    expect(await failureOf('/file', { env })).toMatchObject({
      message: 'HTTPS_PROXY or HTTP_PROXY is not the address of a proxy',
      hostFailed: true,
    });
  });

  const host = (): string => new URL(site.url).host;
});
