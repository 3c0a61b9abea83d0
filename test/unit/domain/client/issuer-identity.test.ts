import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSameButForSlash, isSameIssuer } from '../../../../operator/domain/client/issuer-identity.ts';

const OURS = 'https://m2m.example.com/m2m-oauth-server';

test.each<[string, string]>([
  ['itself', OURS],
  ['a host in capitals', 'https://M2M.Example.COM/m2m-oauth-server'],
  ['a scheme in capitals', 'HTTPS://m2m.example.com/m2m-oauth-server'],
  ['the default port', 'https://m2m.example.com:443/m2m-oauth-server'],
  ['a slash at the end', `${OURS}/`],
  ['slashes at the end', `${OURS}///`],
  ['slashes in between', 'https://m2m.example.com//m2m-oauth-server'],
  ['a dot segment', 'https://m2m.example.com/./m2m-oauth-server'],
  ['a segment and its way back', 'https://m2m.example.com/x/../m2m-oauth-server'],
  ['an encoded dot segment', 'https://m2m.example.com/x/%2e%2E/m2m-oauth-server'],
  ['an encoded letter', 'https://m2m.example.com/m2m%2Doauth-server'],
  ['a dot after the host', 'https://m2m.example.com./m2m-oauth-server'],
])('%s is the same issuer', (_name, text) => {
  expect(isSameIssuer(text, OURS)).toBe(true);
  expect(isSameIssuer(OURS, text)).toBe(true);
});

test.each<[string, string]>([
  ['another host', 'https://other.example.com/m2m-oauth-server'],
  ['a host below', 'https://x.m2m.example.com/m2m-oauth-server'],
  ['another port', 'https://m2m.example.com:8443/m2m-oauth-server'],
  ['the port of another scheme', 'https://m2m.example.com:80/m2m-oauth-server'],
  ['another path', 'https://m2m.example.com/realms/a'],
  ['no path', 'https://m2m.example.com'],
  ['a path below', `${OURS}/a`],
  ['a path in capitals, whose case matters', 'https://m2m.example.com/M2M-oauth-server'],
  ['no URL', 'm2m-oauth-server'],
  ['nothing', ''],
])('%s is another issuer', (_name, text) => {
  expect(isSameIssuer(text, OURS)).toBe(false);
});

test.each<[string, string, boolean]>([
  ['https://a.example', 'https://a.example', true],
  ['https://a.example', 'https://a.example/', true],
  ['https://a.example/b/', 'https://a.example/b', true],
  ['https://a.example/b/', 'https://a.example/b//', true],
  ['https://a.example/b', 'https://a.example/b//', false],
  ['https://a.example', 'https://A.example/', false],
  ['https://a.example', 'https://a.example:443', false],
  ['https://a.example/b', 'https://a.example/c', false],
  ['https://a.example', '', false],
  ['/', '', true],
])('%s and %s are the same but for one slash: %s', (a, b, expected) => {
  expect(isSameButForSlash(a, b)).toBe(expected);
  expect(isSameButForSlash(b, a)).toBe(expected);
});

test('IPv6 addresses are compared by value', () => {
  expect(isSameIssuer('https://[2001:db8:0:0::1]/a', 'https://[2001:DB8::1]:443/a/')).toBe(true);
  expect(isSameIssuer('https://[2001:db8::2]/a', 'https://[2001:db8::1]/a')).toBe(false);
});

test('a path that can’t be decoded is compared as it is', () => {
  expect(isSameIssuer('https://a.example/%ff', 'https://a.example/%ff/')).toBe(true);
  expect(isSameIssuer('https://a.example/%ff', 'https://a.example/%fe')).toBe(false);
});

test('every URL is the same issuer as what it is parsed to, and sameness has no direction', () => {
  fc.assert(
    fc.property(fc.webUrl({ validSchemes: ['https'] }), fc.webUrl({ validSchemes: ['https'] }), (a, b) => {
      expect(isSameIssuer(a, new URL(a).href)).toBe(true);
      expect(isSameIssuer(a, b)).toBe(isSameIssuer(b, a));
    }),
  );
});
