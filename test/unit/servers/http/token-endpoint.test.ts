import { describe, expect, test } from '@jest/globals';
import type { TokenRequest } from '../../../../operator/domain/client/token-request.ts';
import { refused } from '../../../../operator/issuer/failure.ts';
import { basic } from '../../../support/http.ts';
import { tokenRequest } from '../../../support/token-request.ts';
import { rawRequest, sendRaw } from './raw-http.ts';
import { BASE, jsonAnswerOf, openServerEnv, type ServerEnv, TOKEN } from './server-env.ts';

/** `POST /oauth/token` by RFC 6749 §2.3, §3.2, §4.4, §5; RFC 7521 §4.2; RFC 8707 §2. */

const FORM = 'application/x-www-form-urlencoded';
const GRANT = 'grant_type=client_credentials';
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

const post = ({ url }: ServerEnv, body: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${url}/oauth/token`, { method: 'POST', body, headers: { 'content-type': FORM, ...headers } });

/** What CreateToken was asked, if it was. */
const asked = ({ calls }: ServerEnv): TokenRequest[] => calls.map(([, request]) => request as TokenRequest);

const NOTHING = tokenRequest();

const raw = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('an answer', () => {
  test('is the token, and nothing keeps it', async () => {
    await using env = await openServerEnv();
    const response = await post(env, GRANT);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      access_token: TOKEN.accessToken,
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'read write',
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      pragma: 'no-cache',
    });
  });

  test.each([
    ['never expires', { expiresInSeconds: 0 }, 'expires_in'],
    ['has no scope', { scope: [] }, 'scope'],
  ])('of a token that %s leaves that out', async (_name, changes, member) => {
    await using env = await openServerEnv({ createToken: async () => ({ ...TOKEN, ...changes }) });
    expect(await (await post(env, GRANT)).json()).not.toHaveProperty(member);
  });
});

describe('what is asked for', () => {
  test.each<[string, string, Partial<TokenRequest>]>([
    ['nothing', '', {}],
    ['a scope', 'scope=read', { scope: ['read'] }],
    ['several scopes', 'scope=read++write%20admin', { scope: ['read', 'write', 'admin'] }],
    ['an empty scope', 'scope=', {}],
    ['a scope and an empty scope', 'scope=&scope=read', { scope: ['read'] }],
    ['an audience', 'audience=a', { audience: ['a'] }],
    ['audiences in one parameter', 'audience=a+b', { audience: ['a', 'b'] }],
    ['audiences in several', 'audience=a&audience=b', { audience: ['a', 'b'] }],
    ['aud', 'aud=a+b&aud=c', { audience: ['a', 'b', 'c'] }],
    [
      'resources',
      'resource=https%3A%2F%2Fa.example&resource=urn:b',
      { audience: ['https://a.example', 'urn:b'] },
    ],
    ['the same audience by every name', 'audience=a&aud=a&resource=a&resource=b', { audience: ['a', 'b'] }],
    ['an expiration', 'expiration=1700000000', { expiration: 1_700_000_000 }],
    ['an expiration that is past', 'expiration=-5', { expiration: -5 }],
    ['a name', 'token_name=nightly+report', { tokenName: 'nightly report' }],
    ['UTF-8', 'token_name=%C3%A4%E2%82%AC', { tokenName: 'ä€' }],
    ['unknown parameters', 'foo=bar&refresh_token=x', {}],
  ])('%s', async (_name, parameters, wanted) => {
    await using env = await openServerEnv();
    expect((await post(env, `${GRANT}&${parameters}`)).status).toBe(200);
    expect(asked(env)).toEqual([{ ...NOTHING, ...wanted }]);
  });

  test('may name the client of the Authorization header as a file has it, with a newline at its end', async () => {
    await using env = await openServerEnv();
    const form = 'grant_type=client_credentials&client_id=id%0A';
    expect((await post(env, form, { authorization: basic('id', 'secret') })).status).toBe(200);
  });

  test('may come as JSON', async () => {
    await using env = await openServerEnv();
    const body = JSON.stringify({
      grant_type: 'client_credentials',
      client_id: 'id',
      client_secret: 'secret',
      audience: ['a', 'b c'],
      aud: null,
      scope: 'read write',
      expiration: 1_700_000_000,
      token_name: '',
    });
    expect((await post(env, body, { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200);
    expect(asked(env)).toEqual([
      {
        ...NOTHING,
        clientID: 'id',
        clientSecret: 'secret',
        audience: ['a', 'b', 'c'],
        scope: ['read', 'write'],
        expiration: 1_700_000_000,
      },
    ]);
  });
});

describe('JSON', () => {
  const BODY = '{"grant_type":"client_credentials","client_id":"id","client_secret":"secret"}';
  test.each([
    ['without a content type', []],
    ['as text/plain', ['Content-Type: text/plain;charset=UTF-8']],
    ['as another type', ['Content-Type: application/octet-stream']],
    ['as a type of its own', ['Content-Type: application/vnd.api+json']],
    ['with an empty content type', ['Content-Type:']],
  ])('%s is read as JSON', async (_name, headers) => {
    await using env = await openServerEnv();
    const length = `Content-Length: ${BODY.length}`;
    const answer = await sendRaw(
      env.port,
      rawRequest(`POST ${BASE}/oauth/token`, [...headers, length], BODY),
    );
    expect([answer?.status, answer?.body]).toEqual([200, expect.stringContaining('access-token')]);
    expect(asked(env)).toEqual([{ ...NOTHING, clientID: 'id', clientSecret: 'secret' }]);
  });

  test('in chunks without a content type is read as JSON', async () => {
    await using env = await openServerEnv();
    const chunks = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
    const request = rawRequest(`POST ${BASE}/oauth/token`, ['Transfer-Encoding: chunked'], chunks);
    expect((await sendRaw(env.port, request))?.status).toBe(200);
    expect(asked(env)).toEqual([{ ...NOTHING, clientID: 'id', clientSecret: 'secret' }]);
  });

  test.each([
    ['in a form of several parts', 'multipart/form-data; boundary=x', BODY, 415],
    ['as text/plain with a member twice', 'text/plain', '{"scope":"a","scope":"b"}', 400],
    ['as text/plain that is no object', 'text/plain', '[]', 400],
    ['as text/plain that ends too soon', 'text/plain', BODY.slice(0, -1), 415],
    ['as text/plain that is empty', 'text/plain', '', 415],
  ])('%s is rejected', async (_name, type, body, status) => {
    await using env = await openServerEnv();
    expect((await post(env, body, { 'content-type': type })).status).toBe(status);
    expect(env.calls).toEqual([]);
  });
});

describe('a request', () => {
  const INVALID = 'invalid_request';
  test.each([
    ['without a grant type', 'scope=read', 'grant_type is missing'],
    ['with an empty grant type', 'grant_type=', 'grant_type is missing'],
    ['with two grant types', `${GRANT}&${GRANT}`, 'grant_type is given more than once'],
    ['with two scopes', `${GRANT}&scope=a&scope=b`, 'scope is given more than once'],
    ['with two client IDs', `${GRANT}&client_id=a&client_id=a`, 'client_id is given more than once'],
    ['with an unknown parameter twice', `${GRANT}&secret=a&secret=a`, 'a parameter is given more than once'],
    [
      'with an expiration that is no number',
      `${GRANT}&expiration=1h`,
      'expiration is no time in Unix seconds',
    ],
    [
      'with an expiration of 16 digits',
      `${GRANT}&expiration=${'9'.repeat(16)}`,
      'expiration is no time in Unix seconds',
    ],
    [
      'with parameters without end',
      Array.from({ length: 300 }, (_, at) => `p${at}=x`).join('&'),
      'there are too many parameters',
    ],
    ['whose body is not UTF-8', `${GRANT}&token_name=\u00ff`, 'the body is not UTF-8'],
  ])('%s is rejected', async (_name, body, description) => {
    await using env = await openServerEnv();
    const response = await fetch(`${env.url}/oauth/token`, {
      method: 'POST',
      headers: { 'content-type': FORM },
      body: Buffer.from(body, 'latin1'),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: INVALID, error_description: description });
    expect(env.calls).toEqual([]);
  });

  test.each([
    ['no JSON', '{', 'the body is no JSON'],
    ['no object', '[]', 'the body is no JSON object'],
    ['null', 'null', 'the body is no JSON object'],
    ['a text', '"grant_type"', 'the body is no JSON object'],
    ['an object in it', '{"scope":{}}', 'scope is neither a text nor a list of texts'],
    ['a list in a list', '{"audience":[["a"]]}', 'audience is neither a text nor a list of texts'],
    ['true', '{"my_secret":true}', 'a parameter is neither a text nor a list of texts'],
    ['several scopes', '{"scope":["a","b"]}', 'scope is given more than once'],
    ['nothing', '', 'the body is no JSON'],
  ])('in JSON with %s is rejected', async (_name, body, description) => {
    await using env = await openServerEnv();
    const response = await post(env, body, { 'content-type': 'application/json' });
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: INVALID, error_description: description },
    ]);
    expect(env.calls).toEqual([]);
  });

  test.each([
    ['text/plain', {}],
    ['multipart/form-data; boundary=x', {}],
    ['application/xml', {}],
    ['application/jsonp', {}],
    ['nonsense', {}],
    [FORM, { 'content-encoding': 'gzip' }],
  ])('of the type %s is rejected: %j', async (type, headers) => {
    await using env = await openServerEnv();
    expect(await jsonAnswerOf(post(env, GRANT, { 'content-type': type, ...headers }))).toMatchObject({
      status: 415,
      body: { error: INVALID },
    });
    expect(env.calls).toEqual([]);
  });

  test('whose parameters are in the URL is rejected', async () => {
    await using env = await openServerEnv();
    const url = `${env.url}/oauth/token?${GRANT}&client_id=a&client_secret=b`;
    const posted = fetch(url, { method: 'POST', headers: { 'content-type': FORM } });
    expect(await jsonAnswerOf(posted)).toMatchObject({ status: 400, body: { error: INVALID } });
    expect(env.calls).toEqual([]);
  });
});

describe('a client proves itself', () => {
  test.each<[string, string, Readonly<Record<string, string>>, Partial<TokenRequest>]>([
    [
      'by its secret in the body',
      'client_id=i%26d&client_secret=s%3Ds',
      {},
      { clientID: 'i&d', clientSecret: 's=s' },
    ],
    ['by Basic', '', { authorization: basic('id', 'secret') }, { clientID: 'id', clientSecret: 'secret' }],
    [
      'by Basic in any case',
      '',
      { authorization: raw('id:a').replace('Basic', 'bASIC ') },
      { clientID: 'id', clientSecret: 'a' },
    ],
    [
      'by Basic whose secret has a colon',
      '',
      { authorization: raw('id:a:b') },
      { clientID: 'id', clientSecret: 'a:b' },
    ],
    [
      'by Basic that is no encoding',
      '',
      { authorization: raw('id:100%') },
      { clientID: 'id', clientSecret: '100%' },
    ],
    [
      'by Basic, and names itself in the body too',
      'client_id=id',
      { authorization: basic('id', 'secret') },
      { clientID: 'id', clientSecret: 'secret' },
    ],
    [
      'by an assertion',
      `client_assertion_type=${JWT_BEARER}&client_assertion=a.b.c`,
      {},
      { assertionType: JWT_BEARER, assertion: 'a.b.c' },
    ],
    [
      'by an assertion, and names itself',
      `client_id=id&client_assertion_type=${JWT_BEARER}&client_assertion=a.b.c`,
      {},
      { clientID: 'id', assertionType: JWT_BEARER, assertion: 'a.b.c' },
    ],
    ['not at all', 'client_id=id', {}, { clientID: 'id' }],
    [
      'in the body, with a Bearer that is not looked at',
      'client_id=id&client_secret=s',
      { authorization: 'Bearer x' },
      { clientID: 'id', clientSecret: 's' },
    ],
  ])('%s', async (_name, parameters, headers, wanted) => {
    await using env = await openServerEnv();
    expect((await post(env, `${GRANT}&${parameters}`, headers)).status).toBe(200);
    expect(asked(env)).toEqual([{ ...NOTHING, ...wanted }]);
  });

  const TWO = 'more than one way of client authentication is used';
  test.each([
    ['by Basic and a secret', 'client_secret=s', basic('id', 's'), 400, 'invalid_request', TWO],
    ['by Basic and an assertion', 'client_assertion=a', basic('id', 's'), 400, 'invalid_request', TWO],
    [
      'by Basic without a secret and a secret',
      'client_secret=s',
      basic('id', ''),
      400,
      'invalid_request',
      TWO,
    ],
    [
      'by a secret and an assertion',
      'client_secret=s&client_assertion=a',
      undefined,
      400,
      'invalid_request',
      TWO,
    ],
    [
      'by Basic as another client than the body names',
      'client_id=other',
      basic('id', 's'),
      400,
      'invalid_request',
      'client_id differs from the one in the Authorization header',
    ],
    ...[
      'Basic',
      'Basic ',
      'Basic !!',
      raw('no colon'),
      `Basic ${Buffer.from([0xff, 0x3a]).toString('base64')}`,
    ].map(
      (header) =>
        [
          `by ${header}`,
          '',
          header,
          401,
          'invalid_client',
          'the Authorization header is no Basic credentials',
        ] as const,
    ),
  ])('never %s', async (_name, parameters, authorization, status, error, description) => {
    await using env = await openServerEnv();
    const response = await post(env, `${GRANT}&${parameters}`, authorization ? { authorization } : {});
    expect([response.status, await response.json()]).toEqual([
      status,
      { error, error_description: description },
    ]);
    expect(response.headers.get('www-authenticate')).toBe(
      status === 401 ? 'Basic realm="m2m-oauth-operator", charset="UTF-8"' : null,
    );
    expect(env.calls).toEqual([]);
  });

  const meant = ({ clientID, clientSecret, alternatives = [] }: TokenRequest): string[] =>
    [{ clientID, clientSecret }, ...alternatives].map((one) => `${one.clientID} ${one.clientSecret}`);

  test.each([
    ['nothing that is encoded', 'id:secret', ['id secret']],
    [
      'parts that are encoded',
      'i%3Ad:s+%2B%25%C3%A4',
      ['i:d s +%ä', 'i:d s+%2B%25%C3%A4', 'i%3Ad s +%ä', 'i%3Ad s+%2B%25%C3%A4'],
    ],
    ['a secret that is not encoded', 'id:a%20b+c', ['id a b c', 'id a%20b+c']],
    ['an ID that is not encoded', 'a+b:secret', ['a+b secret']],
    ['an ID and a secret that are not encoded', 'a+b:p+q', ['a+b p q', 'a+b p+q']],
    ['an ID that no client can have', 'a%20b:s', ['a%20b s']],
    ['an ID that no client can have, however it is read', 'a b%20:s', ['a b%20 s']],
    [
      'an ID that is encoded and a secret that is not',
      'urn%3Aid:p+q/r=',
      ['urn:id p q/r=', 'urn:id p+q/r=', 'urn%3Aid p q/r=', 'urn%3Aid p+q/r='],
    ],
    ['a secret that can not be decoded', 'urn%3Aid:100%', ['urn:id 100%', 'urn%3Aid 100%']],
    ['an ID that can not be decoded', 'a%:b%20c', ['a% b c', 'a% b%20c']],
  ])('by Basic with %s, which means what it says decoded first', async (_name, text, wanted) => {
    await using env = await openServerEnv();
    expect((await post(env, GRANT, { authorization: raw(text) })).status).toBe(200);
    expect(asked(env).map(meant)).toEqual([wanted]);
  });

  test('by Basic, of which the body chooses the ID', async () => {
    await using env = await openServerEnv();
    const body = `${GRANT}&client_id=a%2Bb`;
    expect((await post(env, body, { authorization: raw('a+b:p+q') })).status).toBe(200);
    expect(asked(env).map(meant)).toEqual([['a+b p q', 'a+b p+q']]);
  });

  test('by an assertion beside Basic without a secret, which names the client alone', async () => {
    await using env = await openServerEnv();
    const body = `${GRANT}&client_assertion_type=${JWT_BEARER}&client_assertion=a.b.c`;
    expect((await post(env, body, { authorization: raw('urn%3Aid:') })).status).toBe(200);
    const proof = { assertionType: JWT_BEARER, assertion: 'a.b.c' };
    const alternatives = [{ clientID: 'urn%3Aid', clientSecret: '' }];
    expect(asked(env)).toEqual([{ ...NOTHING, clientID: 'urn:id', ...proof, alternatives }]);
  });

  test('once, also where it is rejected', async () => {
    await using env = await openServerEnv({
      createToken: async () => {
        throw refused('invalid_scope', 'no');
      },
    });
    expect((await post(env, GRANT, { authorization: raw('id:a%20b') })).status).toBe(400);
    expect(env.calls).toHaveLength(1);
  });
});
