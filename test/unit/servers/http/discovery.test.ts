import { describe, expect, test } from '@jest/globals';
import { rawRequest, sendRaw } from './raw-http.ts';
import { BASE, ISSUER_URL, jsonAnswerOf, openServerEnv, type ServerEnv, TestKeys } from './server-env.ts';

/** Discovery (OpenID Connect Discovery 1.0, RFC 8414) and the public keys (RFC 7517). */

const DISCOVERY = `${BASE}/.well-known/openid-configuration`;
const METADATA = [
  DISCOVERY,
  `/.well-known/oauth-authorization-server${BASE}`,
  `${BASE}/.well-known/oauth-authorization-server`,
];
const JWKS = `${BASE}/.well-known/jwks.json`;
const get = ({ url }: ServerEnv, path: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(new URL(path, url), { headers });

const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];
const ALGORITHMS = expect.arrayContaining(['ES256', 'EdDSA', 'RS256', 'PS256']);

test.each(METADATA)('%s says what is offered', async (path) => {
  await using env = await openServerEnv();
  expect(await jsonAnswerOf(get(env, path))).toEqual({
    status: 200,
    body: {
      issuer: ISSUER_URL,
      token_endpoint: `${ISSUER_URL}/oauth/token`,
      introspection_endpoint: `${ISSUER_URL}/oauth/introspect`,
      revocation_endpoint: `${ISSUER_URL}/oauth/revoke`,
      jwks_uri: `${ISSUER_URL}/.well-known/jwks.json`,
      plgd_tokens_endpoint: `${ISSUER_URL}/api/v1/tokens`,
      grant_types_supported: ['client_credentials'],
      response_types_supported: [],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      token_endpoint_auth_methods_supported: METHODS,
      token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      introspection_endpoint_auth_methods_supported: METHODS,
      introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      revocation_endpoint_auth_methods_supported: METHODS,
      revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      claims_supported: expect.arrayContaining(['iss', 'sub', 'aud', 'exp', 'jti', 'client_id', 'scope']),
    },
  });
});

describe('a URL that the issuer had before', () => {
  const OLD = 'https://issuer.example/old';

  test.each([
    '/old/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server/old',
    '/old/.well-known/oauth-authorization-server',
  ])('%s is that of then, with the endpoints of now', async (path) => {
    await using env = await openServerEnv({}, { previousURLs: [OLD] });
    expect(await jsonAnswerOf(get(env, path))).toMatchObject({
      status: 200,
      body: {
        issuer: OLD,
        jwks_uri: `${OLD}/.well-known/jwks.json`,
        token_endpoint: `${ISSUER_URL}/oauth/token`,
        plgd_tokens_endpoint: `${ISSUER_URL}/api/v1/tokens`,
      },
    });
  });

  test('has the keys of now, and those that come', async () => {
    const keys = new TestKeys();
    await using env = await openServerEnv({}, { previousURLs: [OLD], keys });
    const [old, now] = [get(env, '/old/.well-known/jwks.json'), get(env, JWKS)];
    expect(await jsonAnswerOf(old)).toEqual(await jsonAnswerOf(now));
    keys.change([{ kid: 'two' }]);
    expect((await jsonAnswerOf(get(env, '/old/.well-known/jwks.json'))).body.keys).toEqual([{ kid: 'two' }]);
  });

  test('has no endpoints', async () => {
    await using env = await openServerEnv({}, { previousURLs: [OLD] });
    expect((await get(env, '/old/api/v1/tokens')).status).toBe(404);
  });

  test('does not take the place of the present one, nor of an earlier entry', async () => {
    const previousURLs = [`https://old.example${BASE}`, 'https://a.example/x', 'https://b.example/x'];
    await using env = await openServerEnv({}, { previousURLs });
    expect((await jsonAnswerOf(get(env, DISCOVERY))).body.issuer).toBe(ISSUER_URL);
    const shared = await jsonAnswerOf(get(env, '/x/.well-known/openid-configuration'));
    expect(shared.body.issuer).toBe('https://a.example/x');
  });
});

test('every URL in a document is of the issuer, whatever a request says of itself', async () => {
  await using env = await openServerEnv({}, { trustedProxies: ['127.0.0.1'] });
  const headers = {
    Host: 'evil.example',
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Proto': 'http',
    Forwarded: 'host=evil.example',
  };
  for (const path of [...METADATA, JWKS, `${BASE}/openapi.json`]) {
    const request = rawRequest(`GET ${path}`, headers).replace('Host: issuer.example\r\n', '');
    const answer = await sendRaw(env.port, request);
    expect(answer?.status).toBe(200);
    expect(JSON.stringify(answer?.body)).not.toContain('evil');
  }
});

test('the algorithms are those of all keys, each once', async () => {
  const keys = new TestKeys();
  await using env = await openServerEnv({}, { keys });
  keys.change([
    { kid: 'a', alg: 'RS256' },
    { kid: 'b', alg: 'ES256' },
    { kid: 'c', alg: 'ES256' },
  ]);
  const { body } = await jsonAnswerOf(get(env, DISCOVERY));
  expect(body.id_token_signing_alg_values_supported).toEqual(['ES256', 'RS256']);
});

test('the key set is that of the issuer, and follows it', async () => {
  const keys = new TestKeys();
  await using env = await openServerEnv({}, { keys });
  const one = { kty: 'EC', kid: 'one', use: 'sig', alg: 'ES256' };
  expect(await jsonAnswerOf(get(env, JWKS))).toEqual({ status: 200, body: { keys: [one] } });
  keys.change([{ ...one, kid: 'two' }]);
  expect((await jsonAnswerOf(get(env, JWKS))).body).toEqual({ keys: [{ ...one, kid: 'two' }] });
});

test('before the keys are known there is neither', async () => {
  const keys = new TestKeys();
  keys.known = false;
  await using env = await openServerEnv({}, { keys });
  for (const path of [...METADATA, JWKS]) {
    const response = await get(env, path);
    expect([
      response.status,
      response.headers.get('cache-control'),
      response.headers.get('retry-after'),
    ]).toEqual([503, 'no-store', '1']);
    expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' });
  }
  keys.known = true;
  expect((await get(env, JWKS)).status).toBe(200);
});

describe.each([...METADATA, JWKS, `${BASE}/openapi.json`])('%s', (path) => {
  test('may be kept, and is asked for again by its tag', async () => {
    await using env = await openServerEnv();
    const first = await get(env, path);
    expect(first.headers.get('cache-control')).toBe('public, max-age=300');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{43}"$/u);
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get(env, path, { 'if-none-match': tags });
      expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
      expect(again.headers.get('cache-control')).toBe('public, max-age=300');
    }
    expect((await get(env, path, { 'if-none-match': '"other"' })).status).toBe(200);
  });
});

test('the tag changes with the keys', async () => {
  const keys = new TestKeys();
  await using env = await openServerEnv({}, { keys });
  const before = (await get(env, JWKS)).headers.get('etag') ?? '';
  keys.change([]);
  expect((await get(env, JWKS, { 'if-none-match': before })).status).toBe(200);
});
