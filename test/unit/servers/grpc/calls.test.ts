import { expect, test } from '@jest/globals';
import type { TokenRequest } from '../../../../operator/domain/client/token-request.ts';
import { IssuerFailure } from '../../../../operator/issuer/failure.ts';
import type { Call } from '../../../../operator/issuer/use-cases.ts';
import { rejectionOf } from '../../../support/grpc.ts';
import { openServerEnv, tokenRecord } from './server-env.ts';

const BEARER = 'Bearer token';

test('CreateToken passes the request on, and returns the token', async () => {
  const asked: [TokenRequest, Call][] = [];
  await using env = await openServerEnv({
    createToken: async (request, call) => {
      asked.push([request, call]);
      return { id: 'jti', clientID: 'c', accessToken: 'jwt', expiresInSeconds: 60, scope: ['read', 'write'] };
    },
  });
  const created = await env.client.createToken({
    clientId: 'id',
    clientSecret: 'secret',
    audience: ['a', 'b'],
    scope: ['read'],
    expiration: 1_700_000_000n,
    clientAssertionType: 'type',
    clientAssertion: 'assertion',
    tokenName: 'name',
    grantType: 'client_credentials',
  });
  expect(created).toEqual({
    accessToken: 'jwt',
    tokenType: 'Bearer',
    expiresIn: 60n,
    scope: ['read', 'write'],
  });
  expect(asked[0]?.[0]).toEqual({
    clientID: 'id',
    clientSecret: 'secret',
    audience: ['a', 'b'],
    scope: ['read'],
    expiration: 1_700_000_000,
    assertionType: 'type',
    assertion: 'assertion',
    tokenName: 'name',
    grantType: 'client_credentials',
  });
  expect(asked[0]?.[1].address).toBe('127.0.0.1');
});

test('a token that never expires says 0', async () => {
  const token = { id: 'jti', clientID: 'c', accessToken: 'jwt', expiresInSeconds: 0, scope: [] };
  await using env = await openServerEnv({ createToken: async () => token });
  expect(await env.client.createToken({})).toMatchObject({ expiresIn: 0n });
});

test.each<[string, bigint, number]>([
  ['nothing is not asked for', 0n, 0],
  ['a negative number is no request', -1n, 0],
  ['the least int64 is not asked for', -(2n ** 63n), 0],
  ['an ordinary number stays as it is', 1_700_000_000n, 1_700_000_000],
  ['a number beyond the safe integers becomes the largest of them', 2n ** 63n - 1n, Number.MAX_SAFE_INTEGER],
])('expiration: %s', async (_name, expiration, expected) => {
  const seen: number[] = [];
  await using env = await openServerEnv({
    createToken: async (request) => {
      seen.push(request.expiration);
      return { id: 'jti', clientID: 'c', accessToken: 'jwt', expiresInSeconds: 1, scope: [] };
    },
  });
  await env.client.createToken({ expiration });
  expect(seen).toEqual([expected]);
});

test('GetTokens passes the bearer and the query on, and returns each record as a message', async () => {
  const asked: unknown[] = [];
  const blacklisted = {
    blacklistedAt: 1_700_000_100,
    originalTokenClaims: { email: 'a@b.c', list: [1, null] },
  };
  await using env = await openServerEnv({
    authenticateBearer: async (authorization) => {
      asked.push(authorization);
      return { owner: 'me', onlyID: undefined, client: undefined };
    },
    async *listTokens(bearer, query) {
      asked.push(bearer.owner, query);
      yield [tokenRecord('one', { expiration: undefined })];
      yield [];
      yield [tokenRecord('two', blacklisted), tokenRecord('three', { blacklistedAt: 0 })];
    },
  });
  const tokens = await env.client.getTokens(BEARER, { idFilter: ['x', 'y'], includeBlacklisted: true });
  const common = {
    version: 1n,
    name: 'name',
    owner: 'owner',
    issuedAt: 1_700_000_000n,
    audience: ['audience'],
    scope: ['read', 'write'],
    clientId: 'client-id',
    originalTokenClaims: undefined,
    subject: 'subject',
  };
  expect(tokens).toEqual([
    { ...common, id: 'one', expiration: 0n, blacklisted: undefined },
    {
      ...common,
      id: 'two',
      expiration: 1_700_003_600n,
      originalTokenClaims: { email: 'a@b.c', list: [1, null] },
      blacklisted: { flag: true, timestamp: 1_700_000_100n },
    },
    { ...common, id: 'three', expiration: 1_700_003_600n, blacklisted: { flag: true, timestamp: 0n } },
  ]);
  expect(asked).toEqual([BEARER, 'me', { ids: ['x', 'y'], includeBlacklisted: true }]);
});

test('DeleteTokens passes bearer and ids on, and returns the counts', async () => {
  const asked: unknown[] = [];
  await using env = await openServerEnv({
    deleteTokens: async (bearer, ids) => {
      asked.push(bearer.owner, ids);
      return { blacklisted: 3, deleted: 0 };
    },
  });
  expect(await env.client.deleteTokens(BEARER, ['x'])).toEqual({ blacklistedCount: 3n, deletedCount: 0n });
  expect(asked).toEqual(['owner', ['x']]);
});

test('without a bearer the use case gets undefined', async () => {
  const seen: unknown[] = [];
  await using env = await openServerEnv({
    authenticateBearer: async (authorization) => {
      seen.push(authorization);
      throw new IssuerFailure('BearerInvalid', 'no bearer');
    },
  });
  expect(await rejectionOf(env.client.getTokens(undefined))).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(await rejectionOf(env.client.deleteTokens(undefined, []))).toMatchObject({
    code: 'UNAUTHENTICATED',
  });
  expect(seen).toEqual([undefined, undefined]);
});

test('claims that no message can hold are left out, and logged once', async () => {
  let deep: Record<string, unknown> = {};
  for (let depth = 0; depth < 40; depth += 1) deep = { deep };
  await using env = await openServerEnv({
    async *listTokens() {
      yield [
        tokenRecord('one', { originalTokenClaims: deep }),
        tokenRecord('two', { originalTokenClaims: { n: 1n } }),
      ];
      yield [tokenRecord('three', { originalTokenClaims: { valid: true } })];
    },
  });
  const tokens = await env.client.getTokens(BEARER);
  expect(tokens.map(({ id, originalTokenClaims }) => [id, originalTokenClaims])).toEqual([
    ['one', undefined],
    ['two', undefined],
    ['three', { valid: true }],
  ]);
  expect(env.log.lines.filter(({ level }) => level === 'warn')).toEqual([
    expect.objectContaining({ fields: { jti: 'one' } }),
  ]);
});
