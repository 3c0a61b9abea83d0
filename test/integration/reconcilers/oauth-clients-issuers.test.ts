import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { jsonFetcher } from '../../../operator/outbound/fetch-json.ts';
import type { KubeObject } from '../../support/api.ts';
import { type HttpsIssuer, startHttpsIssuer } from '../../support/https-issuer.ts';
import { ClientEnv, conditionOf } from './client-env.ts';

jest.setTimeout(30_000);

let env: ClientEnv;
beforeEach(async () => {
  env = await ClientEnv.open();
});
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

const messageOf = (client: KubeObject): string => conditionOf(client, 'CredentialsReady').message;
const publicJwk = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });

describe('trusted issuers and jwksURI', () => {
  let issuer: HttpsIssuer;
  beforeEach(async () => {
    issuer = await startHttpsIssuer();
    issuer.serve('/.well-known/openid-configuration', { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` });
    issuer.serve('/jwks', { keys: [{ kty: 'oct', k: 'eA' }, publicJwk()] });
    env.fetchJson = jsonFetcher({ caFile: issuer.caFile, allowedCIDRs: ['127.0.0.1/32'], timeoutMs: 500 });
  });
  afterEach(async () => {
    await issuer[Symbol.asyncDispose]();
  });

  const trusting = (audience = 'https://m2m.example.com', extra: object = {}) => ({
    authentication: { trustedIssuers: [{ authority: issuer.url, audience, ...extra }] },
  });
  const discovery = (document: object) => issuer.serve('/.well-known/openid-configuration', document);

  test('are Verified where discovery names the authority and its keys can verify; asked again hourly, not at each event', async () => {
    await env.create('app', trusting());
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'Verified'))).toContain('trustedIssuer');
    await env.patch('app', { metadata: { labels: { seen: 'again' } } });
    await env.idle();
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
    await env.clock.advance(3_600_000);
    await env.until(() => expect(issuer.asked).toHaveLength(4));
    await env.idle();
    await env.patch('app', { spec: trusting('https://other.example.com') });
    await env.until(() => expect(issuer.asked).toHaveLength(6));
  });

  test('that are believed for any audience are named', async () => {
    await env.create('app', trusting('*'));
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'Verified'))).toContain('any audience');
  });

  test('are reached with a separate caFile', async () => {
    env.fetchJson = jsonFetcher({ caFile: '', allowedCIDRs: ['127.0.0.1/32'] });
    await env.create('app', trusting('a', { caFile: issuer.caFile }));
    await env.reason('app', 'CredentialsReady', 'Verified');
  });

  test('by jwksURI alone are Verified too', async () => {
    await env.create('app', { authentication: { privateKeyJWT: { jwksURI: `${issuer.url}/jwks` } } });
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'Verified'))).toContain('privateKeyJWT');
  });

  test.each<[string, () => void, string]>([
    [
      'names another issuer',
      () => discovery({ issuer: `${issuer.url}/`, jwks_uri: `${issuer.url}/jwks` }),
      'another',
    ],
    ['has no jwks_uri', () => discovery({ issuer: issuer.url }), 'no jwks_uri'],
    ['is no object', () => issuer.serve('/.well-known/openid-configuration', ['x']), 'no JSON object'],
    [
      'redirects',
      () =>
        issuer.on('/.well-known/openid-configuration', (r) => r.writeHead(302, { location: '/jwks' }).end()),
      'redirect',
    ],
    ['is too large', () => discovery({ issuer: issuer.url, x: 'x'.repeat(300_000) }), '262144'],
    ['is too slow', () => issuer.on('/.well-known/openid-configuration', () => {}), 'in time'],
    [
      'is not there',
      () => issuer.on('/.well-known/openid-configuration', (r) => r.writeHead(404).end()),
      '404',
    ],
    [
      'leads to plain http',
      () => discovery({ issuer: issuer.url, jwks_uri: 'http://127.0.0.1/jwks' }),
      'no https URL',
    ],
    [
      'leads to the metadata service',
      () => discovery({ issuer: issuer.url, jwks_uri: 'https://169.254.169.254/jwks' }),
      'metadata',
    ],
    [
      'leads to keys that can not verify',
      () => issuer.serve('/jwks', { keys: [{ kty: 'oct', k: 'eA' }] }),
      'no key',
    ],
    ['leads to no keys', () => issuer.serve('/jwks', {}), 'no list of keys'],
  ])(
    'are IssuerUnreachable where the discovery document %s, and asked again with backoff',
    async (_, spoil, word) => {
      spoil();
      await env.create('app', trusting());
      const client = await env.reason('app', 'CredentialsReady', 'IssuerUnreachable');
      expect(conditionOf(client, 'CredentialsReady').status).toBe('False');
      expect(messageOf(client)).toContain(word);
      expect(messageOf(client)).toContain(issuer.url);
      await env.reason('app', 'Ready', 'Registered');
      discovery({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` });
      issuer.serve('/jwks', { keys: [publicJwk()] });
      await env.idle();
      await env.clock.advance(5000);
      await env.reason('app', 'CredentialsReady', 'Verified');
    },
  );

  test('on loopback are rejected unless they are listed', async () => {
    env.fetchJson = jsonFetcher({ caFile: issuer.caFile, allowedCIDRs: [] });
    await env.create('app', trusting());
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'IssuerUnreachable'))).toContain('loopback');
    expect(issuer.asked).toEqual([]);
  });

  test('that fail wait longer each time, and keep no other client from the client ID', async () => {
    issuer.on('/.well-known/openid-configuration', () => {});
    await Promise.all(Array.from({ length: 8 }, (_, at) => env.create(`slow-${at}`, trusting())));
    const startedAt = performance.now();
    await env.create('quick');
    await env.reason('quick', 'Ready', 'Registered');
    expect(performance.now() - startedAt).toBeLessThan(1500);
    for (let at = 0; at < 8; at++) await env.reason(`slow-${at}`, 'CredentialsReady', 'IssuerUnreachable');
  });

  test('are alternatives: one that works suffices, and the other is named', async () => {
    await env.create('app', {
      authentication: {
        trustedIssuers: [
          { authority: issuer.url, audience: 'a' },
          { authority: 'https://127.0.0.1:1', audience: 'a' },
        ],
      },
    });
    const message = messageOf(await env.reason('app', 'CredentialsReady', 'Verified'));
    expect(message).toContain('trusted issuer https://127.0.0.1:1');
  });
});
