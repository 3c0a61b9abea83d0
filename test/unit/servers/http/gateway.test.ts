import { describe, expect, test } from '@jest/globals';
import type { TokenRequest } from '../../../../operator/domain/client/token-request.ts';
import type { TokenRecord } from '../../../../operator/domain/record/token-record.ts';
import type { BearerSelf } from '../../../../operator/issuer/use-cases.ts';
import { tokenRecord } from '../grpc/server-env.ts';
import { jsonAnswerOf, openServerEnv, type ServerEnv, TOKEN } from './server-env.ts';

/** The calls of M2MOAuthService as grpc-gateway would map them (spec §5), in ProtoJSON. */

const AUTHORIZED = { authorization: 'Bearer b' };
const BEARER = { owner: 'owner', onlyID: undefined, client: 'ns/client' };
const get = ({ url }: ServerEnv, query = '', headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${url}/api/v1/tokens${query}`, { headers: { ...AUTHORIZED, ...headers } });
const linesOf = async (response: Response): Promise<unknown[]> =>
  (await response.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

const RECORD: TokenRecord = tokenRecord('one', {
  version: 3,
  originalTokenClaims: { groups: ['a'], n: 1.5 },
  blacklistedAt: 1_700_000_100,
});
const SHOWN = {
  id: 'one',
  version: '3',
  name: 'name',
  owner: 'owner',
  issuedAt: '1700000000',
  audience: ['audience'],
  scope: ['read', 'write'],
  expiration: '1700003600',
  clientId: 'client-id',
  originalTokenClaims: { groups: ['a'], n: 1.5 },
  blacklisted: { flag: true, timestamp: '1700000100' },
  subject: 'subject',
};
const EMPTY: TokenRecord = tokenRecord('two', {
  version: 0,
  name: '',
  subject: '',
  audience: [],
  scope: [],
  expiration: undefined,
});

describe('a token in a list', () => {
  const stageWith = (...records: TokenRecord[]) =>
    openServerEnv({
      async *listTokens() {
        yield records;
      },
    });

  test('has its 64-bit numbers as texts', async () => {
    await using env = await stageWith(RECORD);
    expect(await linesOf(await get(env))).toEqual([{ result: SHOWN }]);
  });

  test('leaves empty fields out', async () => {
    await using env = await stageWith(EMPTY);
    expect(await linesOf(await get(env))).toEqual([
      { result: { id: 'two', owner: 'owner', issuedAt: '1700000000', clientId: 'client-id' } },
    ]);
  });

  test.each(['application/protojson', 'application/json;q=0.1, application/protojson'])(
    'shows them to who accepts %s',
    async (accept) => {
      await using env = await stageWith(EMPTY);
      const response = await get(env, '', { accept });
      expect(response.headers.get('content-type')).toBe('application/protojson; charset=utf-8');
      expect(await linesOf(response)).toEqual([
        {
          result: {
            id: 'two',
            version: '0',
            name: '',
            owner: 'owner',
            issuedAt: '1700000000',
            audience: [],
            scope: [],
            expiration: '0',
            clientId: 'client-id',
            originalTokenClaims: null,
            blacklisted: null,
            subject: '',
          },
        },
      ]);
    },
  );

  test('that only its spec calls blacklisted has no time of it', async () => {
    await using env = await stageWith({ ...EMPTY, blacklistedAt: 0 });
    expect(await linesOf(await get(env))).toMatchObject([{ result: { blacklisted: { flag: true } } }]);
  });
});

describe('a list', () => {
  test.each<[string, string, { ids: string[]; includeBlacklisted: boolean }]>([
    ['everything', '', { ids: [], includeBlacklisted: false }],
    ['an id', '?idFilter=a', { ids: ['a'], includeBlacklisted: false }],
    ['several ids', '?idFilter=a&idFilter=b', { ids: ['a', 'b'], includeBlacklisted: false }],
    ['ids by both names', '?id_filter=a&idFilter=b', { ids: ['b', 'a'], includeBlacklisted: false }],
    ['an id that is escaped', '?idFilter=a%2Cb', { ids: ['a,b'], includeBlacklisted: false }],
    ['blacklisted tokens too', '?includeBlacklisted=true', { ids: [], includeBlacklisted: true }],
    ['by the other name', '?include_blacklisted=true', { ids: [], includeBlacklisted: true }],
    ['by a number', '?includeBlacklisted=1', { ids: [], includeBlacklisted: true }],
    ['no blacklisted tokens', '?includeBlacklisted=false', { ids: [], includeBlacklisted: false }],
    ['an unknown member', '?foo=bar', { ids: [], includeBlacklisted: false }],
  ])('of %s', async (_name, query, wanted) => {
    await using env = await openServerEnv();
    expect((await get(env, query)).status).toBe(200);
    expect(env.calls).toEqual([
      ['authenticateSelf', 'Bearer b', { address: '127.0.0.1' }],
      ['listTokens', BEARER, wanted, { address: '127.0.0.1' }],
    ]);
  });

  test('of nothing is 200 with an empty body', async () => {
    await using env = await openServerEnv({ async *listTokens() {} });
    const response = await get(env);
    expect([response.status, await response.text()]).toEqual([200, '']);
  });
});

describe('a bearer that asks about itself', () => {
  const own = tokenRecord('own', { blacklistedAt: 5 });
  const stageOf = (self: BearerSelf) => openServerEnv({ authenticateSelf: async () => self });
  const ABOUT_ITSELF = '?idFilter=own&includeBlacklisted=true';

  test('gets the record that its validation found, and no list is made', async () => {
    await using env = await stageOf({ bearer: BEARER, own: tokenRecord('own') });
    for (const query of [ABOUT_ITSELF, '?idFilter=own']) {
      expect(await linesOf(await get(env, query))).toMatchObject([{ result: { id: 'own' } }]);
    }
    expect(env.calls.map(([name]) => name)).toEqual(['authenticateSelf', 'authenticateSelf']);
  });

  test('gets its record with blacklisted', async () => {
    await using env = await stageOf({ bearer: undefined, own });
    expect(await linesOf(await get(env, ABOUT_ITSELF))).toMatchObject([
      { result: { id: 'own', blacklisted: { flag: true, timestamp: '5' } } },
    ]);
  });

  test.each([
    ['of all', ''],
    ['of all, blacklisted tokens too', '?includeBlacklisted=true'],
    ['of another', '?idFilter=other&includeBlacklisted=true'],
    ['of itself and another', '?idFilter=own&idFilter=other&includeBlacklisted=true'],
    ['of itself, twice', '?idFilter=own&idFilter=own&includeBlacklisted=true'],
    ['of itself as if it were not blacklisted', '?idFilter=own'],
  ])('and is blacklisted gets nothing %s', async (_name, query) => {
    await using env = await stageOf({ bearer: undefined, own });
    expect(await jsonAnswerOf(get(env, query))).toEqual({
      status: 401,
      body: { code: 16, message: 'cannot get tokens: the bearer is missing or not good' },
    });
    expect(env.calls).toHaveLength(1);
  });

  test('and is another issuer’s is listed for like any other', async () => {
    await using env = await stageOf({ bearer: BEARER, own: undefined });
    await get(env, ABOUT_ITSELF);
    expect(env.calls.map(([name]) => name)).toEqual(['authenticateSelf', 'listTokens']);
  });
});

describe('creating', () => {
  const create = ({ url }: ServerEnv, body: string, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${url}/api/v1/tokens`, { method: 'POST', body, headers });
  const NOTHING: TokenRequest = {
    clientID: '',
    clientSecret: '',
    assertionType: '',
    assertion: '',
    grantType: '',
    audience: [],
    scope: [],
    expiration: 0,
    tokenName: '',
  };
  const FULL: TokenRequest = {
    clientID: 'id',
    clientSecret: 'secret',
    assertionType: 'type',
    assertion: 'assertion',
    grantType: 'client_credentials',
    audience: ['a'],
    scope: ['s'],
    expiration: 1_700_000_000,
    tokenName: 'name',
  };

  test.each<[string, string, TokenRequest]>([
    ['nothing', '{}', NOTHING],
    [
      'all of it',
      JSON.stringify({
        clientId: 'id',
        clientSecret: 'secret',
        clientAssertionType: 'type',
        clientAssertion: 'assertion',
        grantType: 'client_credentials',
        audience: ['a'],
        scope: ['s'],
        expiration: '1700000000',
        tokenName: 'name',
      }),
      FULL,
    ],
    [
      'all of it by the names of the proto',
      JSON.stringify({
        client_id: 'id',
        client_secret: 'secret',
        client_assertion_type: 'type',
        client_assertion: 'assertion',
        grant_type: 'client_credentials',
        audience: ['a'],
        scope: ['s'],
        expiration: 1_700_000_000,
        token_name: 'name',
      }),
      FULL,
    ],
    ['null for what is left out', '{"clientId":null,"audience":null,"expiration":null}', NOTHING],
    ['an expiration that is past', '{"expiration":"-5"}', NOTHING],
    [
      'a time beyond the safe integers',
      '{"expiration":"9223372036854775807"}',
      { ...NOTHING, expiration: Number.MAX_SAFE_INTEGER },
    ],
    ['an unknown member', '{"foo":{"bar":1},"__proto__":{"clientId":"x"}}', NOTHING],
  ])('from %s', async (_name, body, wanted) => {
    await using env = await openServerEnv();
    expect((await create(env, body)).status).toBe(200);
    expect(env.calls).toEqual([['createToken', wanted, { address: '127.0.0.1' }]]);
  });

  test.each([
    ['a text that is a number', '{"clientId":1}', 'clientId has to be a text'],
    ['a text that is a list', '{"grantType":["a"]}', 'grantType has to be a text'],
    ['a list that is a text', '{"audience":"a"}', 'audience has to be a list of texts'],
    ['a list of numbers', '{"scope":[1]}', 'scope has to be a list of texts'],
    ['a time that is a fraction', '{"expiration":1.5}', 'expiration has to be a whole number of seconds'],
    ['a time that is a word', '{"expiration":"later"}', 'expiration has to be a whole number of seconds'],
    ['a time that is a list', '{"expiration":[1]}', 'expiration has to be a whole number of seconds'],
    ['two names for one', '{"tokenName":"a","token_name":"a"}', 'tokenName has to be given once'],
  ])('rejects %s', async (_name, body, message) => {
    await using env = await openServerEnv();
    expect(await jsonAnswerOf(create(env, body))).toEqual({
      status: 400,
      body: { code: 3, message: `cannot create token: ${message}` },
    });
    expect(env.calls).toEqual([]);
  });

  test.each([
    ['none', {}],
    ['JSON', { 'content-type': 'application/json' }],
    ['ProtoJSON', { 'content-type': 'application/protojson' }],
    ['text', { 'content-type': 'text/plain' }],
    ['a bearer', { authorization: 'Bearer x' }],
  ])('takes JSON with the type of %s', async (_name, headers) => {
    await using env = await openServerEnv();
    expect((await create(env, '{}', headers)).status).toBe(200);
  });

  test('answers with the token', async () => {
    await using env = await openServerEnv();
    expect(await jsonAnswerOf(create(env, '{}'))).toEqual({
      status: 200,
      body: { accessToken: 'access-token', tokenType: 'Bearer', expiresIn: '3600', scope: ['read', 'write'] },
    });
  });

  test('leaves out of the answer what is empty, unless asked', async () => {
    await using env = await openServerEnv({
      createToken: async () => ({ ...TOKEN, expiresInSeconds: 0, scope: [] }),
    });
    expect((await jsonAnswerOf(create(env, '{}'))).body).toEqual({
      accessToken: 'access-token',
      tokenType: 'Bearer',
    });
    expect((await jsonAnswerOf(create(env, '{}', { accept: 'application/protojson' }))).body).toEqual({
      accessToken: 'access-token',
      tokenType: 'Bearer',
      expiresIn: '0',
      scope: [],
    });
  });
});

describe('deleting', () => {
  const remove = ({ url }: ServerEnv, query: string, more: RequestInit = {}) =>
    fetch(`${url}/api/v1/tokens${query}`, { method: 'DELETE', headers: AUTHORIZED, ...more });

  test.each<[string, string, string[]]>([
    ['all', '', []],
    ['some', '?idFilter=a&id_filter=b', ['a', 'b']],
  ])('%s', async (_name, query, ids) => {
    await using env = await openServerEnv();
    expect(await jsonAnswerOf(remove(env, query))).toEqual({
      status: 200,
      body: { blacklistedCount: '1', deletedCount: '2' },
    });
    expect(env.calls).toEqual([
      ['authenticateBearer', 'Bearer b', { address: '127.0.0.1' }],
      ['deleteTokens', BEARER, ids, { address: '127.0.0.1' }],
    ]);
  });

  test('counts nothing in full: there is no empty message', async () => {
    await using env = await openServerEnv({ deleteTokens: async () => ({ blacklisted: 0, deleted: 0 }) });
    expect((await jsonAnswerOf(remove(env, ''))).body).toEqual({
      blacklistedCount: '0',
      deletedCount: '0',
    });
  });

  test.each(['{"idFilter":["a"]}', 'not JSON', 'a=b'])('passes the body %s over', async (body) => {
    await using env = await openServerEnv();
    const headers = { ...AUTHORIZED, 'content-type': 'application/x-www-form-urlencoded' };
    expect((await remove(env, '?idFilter=b', { body, headers })).status).toBe(200);
    expect(env.calls[1]?.[2]).toEqual(['b']);
  });
});
