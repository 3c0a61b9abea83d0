import { describe, expect, test } from '@jest/globals';
import {
  type FailureCode,
  IssuerFailure,
  type OAuthErrorCode,
  refused,
} from '../../../../operator/issuer/failure.ts';
import type { Issuer } from '../../../../operator/issuer/use-cases.ts';
import { postForm } from '../../../support/http.ts';
import { tokenRecord } from '../grpc/server-env.ts';
import { openServerEnv, type ServerEnv } from './server-env.ts';

/** The answer to each way to fail, in both families. */

/** An issuer of which every use case fails so. */
const failing = (error: unknown): Issuer => {
  const fail = async () => {
    throw error;
  };
  return {
    authenticateBearer: fail,
    authenticateSelf: fail,
    createToken: fail,
    // biome-ignore lint/correctness/useYield: a list that fails before its first token
    async *listTokens() {
      throw error;
    },
    deleteTokens: fail,
    introspectToken: fail,
    revokeToken: fail,
  };
};

interface Seen {
  readonly status: number;
  readonly body: unknown;
  readonly challenge: string | undefined;
  readonly retryAfter: string | undefined;
}

const seen = async (answer: Promise<Response>): Promise<Seen> => {
  const response = await answer;
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  return {
    status: response.status,
    body: await response.json(),
    challenge: response.headers.get('www-authenticate') ?? undefined,
    retryAfter: response.headers.get('retry-after') ?? undefined,
  };
};

const oauth = ({ url }: ServerEnv): Promise<Seen>[] => [
  seen(postForm(`${url}/oauth/token`, { grant_type: 'client_credentials' })),
  seen(postForm(`${url}/oauth/introspect`, { token: 'jwt' })),
  seen(postForm(`${url}/oauth/revoke`, { token: 'jwt' })),
];

const gateway = ({ url }: ServerEnv): [purpose: string, answer: Promise<Seen>][] => [
  ['create token', seen(fetch(`${url}/api/v1/tokens`, { method: 'POST', body: '{}' }))],
  ['get tokens', seen(fetch(`${url}/api/v1/tokens`))],
  ['delete tokens', seen(fetch(`${url}/api/v1/tokens`, { method: 'DELETE' }))],
];

const BASIC = 'Basic realm="m2m-oauth-operator", charset="UTF-8"';
const BEARER = 'Bearer realm="m2m-oauth-operator"';

/** How a family says it: status, word or code. */
type Said = readonly [status: number, word: string | number];
const OAUTH_CODES: Record<OAuthErrorCode, number> = {
  invalid_client: 401,
  invalid_request: 400,
  invalid_scope: 400,
  invalid_target: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
};
/** The compiler sees to it that all are here. */
const FAILURES: Record<Exclude<FailureCode, 'Refused'>, readonly [oauth: Said, gateway: Said]> = {
  BearerInvalid: [
    [400, 'invalid_request'],
    [401, 16],
  ],
  OwnerMissing: [
    [400, 'invalid_request'],
    [400, 3],
  ],
  Malformed: [
    [400, 'invalid_request'],
    [400, 3],
  ],
  Unavailable: [
    [503, 'temporarily_unavailable'],
    [503, 14],
  ],
  Exhausted: [
    [503, 'temporarily_unavailable'],
    [429, 8],
  ],
  Limited: [
    [429, 'temporarily_unavailable'],
    [429, 8],
  ],
};

const detail = 'a detail for the log';
const CASES: readonly (readonly [name: string, error: unknown, oauth: Said, gateway: Said, text: string])[] =
  [
    ...Object.entries(OAUTH_CODES).map(
      ([code, status]) =>
        [
          `a rejection with ${code}`,
          refused(code as OAuthErrorCode, 'not this time', detail),
          [status, code],
          [401, 16],
          'not this time',
        ] as const,
    ),
    ...Object.entries(FAILURES).map(
      ([code, [one, other]]) =>
        [code, new IssuerFailure(code as FailureCode, 'no', { detail }), one, other, 'no'] as const,
    ),
    ['an error of ours', new TypeError('secret of ours'), [500, 'server_error'], [500, 13], 'internal error'],
    [
      'an error with a status',
      Object.assign(new Error('secret'), { statusCode: 200, code: 'X' }),
      [500, 'server_error'],
      [500, 13],
      'internal error',
    ],
    ['a thrown text', 'secret of ours', [500, 'server_error'], [500, 13], 'internal error'],
  ];

describe.each(CASES)('%s', (_name, error, [oauthStatus, word], [gatewayStatus, code], text) => {
  test('at an OAuth endpoint', async () => {
    await using env = await openServerEnv(failing(error));
    for (const answer of oauth(env)) {
      expect(await answer).toEqual({
        status: oauthStatus,
        body: { error: word, error_description: text },
        challenge: oauthStatus === 401 ? BASIC : undefined,
        retryAfter: [429, 503].includes(oauthStatus) ? '1' : undefined,
      });
    }
  });

  test('at the gateway', async () => {
    await using env = await openServerEnv(failing(error));
    for (const [purpose, answer] of gateway(env)) {
      expect(await answer).toEqual({
        status: gatewayStatus,
        body: { code, message: `cannot ${purpose}: ${text}` },
        challenge: gatewayStatus === 401 ? BEARER : undefined,
        retryAfter: [429, 503].includes(gatewayStatus) ? '1' : undefined,
      });
    }
  });
});

test.each(['invalid_token', 'insufficient_scope'] as const)(
  'a bearer with the error %s has it in the challenge, and in no body (RFC 6750 §3.1)',
  async (bearerError) => {
    const failure = new IssuerFailure('BearerInvalid', 'no', { bearerError });
    await using env = await openServerEnv(failing(failure));
    for (const [purpose, answer] of gateway(env)) {
      expect(await answer).toEqual({
        status: 401,
        body: { code: 16, message: `cannot ${purpose}: no` },
        challenge: `${BEARER}, error="${bearerError}"`,
        retryAfter: undefined,
      });
    }
  },
);

test('a blacklisted bearer that asks for more than itself is told that it is invalid', async () => {
  await using env = await openServerEnv({
    authenticateSelf: async () => ({ bearer: undefined, own: tokenRecord('one') }),
  });
  for (const query of [
    '',
    '?idFilter=one',
    '?includeBlacklisted=true',
    '?idFilter=two&includeBlacklisted=true',
  ]) {
    expect(await seen(fetch(`${env.url}/api/v1/tokens${query}`))).toMatchObject({
      status: 401,
      challenge: `${BEARER}, error="invalid_token"`,
    });
  }
});

test.each(['Limited', 'Unavailable', 'Exhausted'] as const)(
  'a failure %s that knows when a retry may succeed has it in Retry-After',
  async (code) => {
    await using env = await openServerEnv(failing(new IssuerFailure(code, 'no', { retryAfterSeconds: 17 })));
    const answers = [...oauth(env), ...gateway(env).map(([, answer]) => answer)];
    expect((await Promise.all(answers)).map(({ retryAfter }) => retryAfter)).toEqual(Array(6).fill('17'));
  },
);

test('a description is ASCII without quotes, whatever the message quotes (RFC 6749 §5.2)', async () => {
  await using env = await openServerEnv(failing(refused('invalid_scope', 'no "ä\\\n\u0000" is allowed')));
  const [answer] = await Promise.all(oauth(env));
  expect(answer?.body).toEqual({
    error: 'invalid_scope',
    error_description: "no '''''' is allowed",
  });
});

test('a message of the gateway is Unicode, whatever it quotes', async () => {
  await using env = await openServerEnv(failing(refused('invalid_scope', 'no \ud800 is allowed')));
  const [answer] = await Promise.all(gateway(env).map(([, each]) => each));
  expect(answer?.body).toEqual({
    code: 16,
    message: 'cannot create token: no \ufffd is allowed',
  });
});

describe('a path that is none', () => {
  const NOT_FOUND = { code: 5, message: 'there is nothing at this path' };
  test.each([
    ['/oauth/nothing', { error: 'invalid_request', error_description: 'there is nothing at this path' }],
    ['/oauth/', { error: 'invalid_request', error_description: 'there is nothing at this path' }],
    ['/api/v1/nothing', NOT_FOUND],
    ['/api/v1', NOT_FOUND],
    ['/oauth/..%2Fapi/v1/tokens', NOT_FOUND],
    ['/nothing', NOT_FOUND],
    ['', NOT_FOUND],
  ])('%s gets the error format of its endpoints', async (path, body) => {
    await using env = await openServerEnv();
    expect(await seen(fetch(`${env.url}${path}`))).toMatchObject({ status: 404, body });
  });
});
