import { describe, expect, test } from '@jest/globals';
import { basic, postForm } from '../../../support/http.ts';
import { jsonAnswerOf, openServerEnv, type ServerEnv } from './server-env.ts';

/** `POST /oauth/introspect` (RFC 7662) and `/oauth/revoke` (RFC 7009). */

const CREDENTIALS = { clientID: 'id', clientSecret: 'secret', assertionType: '', assertion: '' };
const BY_BASIC = { authorization: basic('id', 'secret') };
const ENDPOINTS = [
  ['/oauth/introspect', 'introspectToken'],
  ['/oauth/revoke', 'revokeToken'],
] as const;

describe.each(ENDPOINTS)('%s', (path, useCase) => {
  const post = ({ url }: ServerEnv, form: Readonly<Record<string, string>>, headers = {}) =>
    postForm(`${url}${path}`, form, headers);

  test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, string>>]>([
    ['by Basic', { token: 'jwt' }, BY_BASIC],
    ['by the body', { token: 'jwt', client_id: 'id', client_secret: 'secret' }, {}],
    ['with a hint, which says nothing', { token: 'jwt', token_type_hint: 'refresh_token' }, BY_BASIC],
    ['with an empty hint', { token: 'jwt', token_type_hint: '' }, BY_BASIC],
  ])('takes a token from a client %s', async (_name, form, headers) => {
    await using env = await openServerEnv();
    expect((await post(env, form, headers)).status).toBe(200);
    expect(env.calls).toEqual([[useCase, 'jwt', CREDENTIALS, { address: '127.0.0.1' }]]);
  });

  test('takes it from a client with an assertion, and as JSON', async () => {
    await using env = await openServerEnv();
    const body = JSON.stringify({ token: 'jwt', client_assertion_type: 'type', client_assertion: 'a.b.c' });
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${env.url}${path}`, { method: 'POST', body, headers })).status).toBe(200);
    expect(env.calls[0]?.[2]).toEqual({
      clientID: '',
      clientSecret: '',
      assertionType: 'type',
      assertion: 'a.b.c',
    });
  });

  test.each([
    ['no token', {}, 'token is missing'],
    ['an empty token', { token: '' }, 'token is missing'],
  ])('rejects %s', async (_name, form, description) => {
    await using env = await openServerEnv();
    expect(await jsonAnswerOf(post(env, form, BY_BASIC))).toEqual({
      status: 400,
      body: { error: 'invalid_request', error_description: description },
    });
    expect(env.calls).toEqual([]);
  });

  test('rejects two tokens', async () => {
    await using env = await openServerEnv();
    const form = [['token', 'a'] as const, ['token', 'b'] as const];
    expect(await jsonAnswerOf(postForm(`${env.url}${path}`, form, BY_BASIC))).toMatchObject({
      status: 400,
    });
    expect(env.calls).toEqual([]);
  });

  test('does not take the token for a bearer, nor a bearer for the client', async () => {
    await using env = await openServerEnv();
    await post(env, { token: 'jwt' }, { authorization: 'Bearer jwt' });
    expect(env.calls[0]?.[2]).toEqual({ clientID: '', clientSecret: '', assertionType: '', assertion: '' });
  });

  test('is not kept', async () => {
    await using env = await openServerEnv();
    expect((await post(env, { token: 'jwt' }, BY_BASIC)).headers.get('cache-control')).toBe('no-store');
  });
});

describe('the answer of introspection', () => {
  const introspect = ({ url }: ServerEnv) =>
    jsonAnswerOf(postForm(`${url}/oauth/introspect`, { token: 'jwt' }, BY_BASIC));

  test('is what the token says, and that it is active', async () => {
    await using env = await openServerEnv();
    expect(await introspect(env)).toEqual({
      status: 200,
      body: { jti: 'jti', client_id: 'other-client', scope: 'read', active: true, token_type: 'Bearer' },
    });
  });

  test('is that it is not active, and nothing else', async () => {
    await using env = await openServerEnv({ introspectToken: async () => undefined });
    expect(await introspect(env)).toEqual({ status: 200, body: { active: false } });
  });

  test('is not said by the token', async () => {
    await using env = await openServerEnv({
      introspectToken: async () => ({ active: false, token_type: 'other' }),
    });
    expect((await introspect(env)).body).toEqual({ active: true, token_type: 'Bearer' });
  });
});

test.each(['jti', undefined])('revocation is 200 without a body, whatever came of it: %s', async (id) => {
  await using env = await openServerEnv({ revokeToken: async () => ({ clientID: 'id', id }) });
  const response = await postForm(`${env.url}/oauth/revoke`, { token: 'jwt' }, BY_BASIC);
  expect([response.status, await response.text()]).toEqual([200, '']);
});
