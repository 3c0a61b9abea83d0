import { expect, test } from '@jest/globals';
import { IssuerFailure, type OAuthErrorCode, refused } from '../../../../operator/issuer/failure.ts';
import { rejectionOf } from '../../../support/grpc.ts';
import { openServerEnv, tokenRecord } from './server-env.ts';

/** The status of each way to fail, as a client sees it. */

const BEARER = 'Bearer token';

test.each<OAuthErrorCode>([
  'invalid_client',
  'unsupported_grant_type',
  'unauthorized_client',
  'invalid_scope',
  'invalid_target',
  'invalid_request',
])('a rejection with %s has its code in google.rpc.ErrorInfo', async (oauthCode) => {
  await using env = await openServerEnv({
    createToken: async () => {
      throw refused(oauthCode, 'not this time', 'a detail for the log');
    },
  });
  expect(await rejectionOf(env.client.createToken({}))).toEqual({
    code: 'UNAUTHENTICATED',
    message: 'cannot create token: not this time',
    reason: oauthCode,
  });
});

test.each([
  ['Limited', 'RESOURCE_EXHAUSTED', { reason: 'temporarily_unavailable' }],
  ['Unavailable', 'UNAVAILABLE', {}],
] as const)(
  'a failure %s that knows when a retry may succeed has it in google.rpc.RetryInfo',
  async (failure, code, reason) => {
    await using env = await openServerEnv({
      createToken: async () => {
        throw new IssuerFailure(failure, 'later', { retryAfterSeconds: 17 });
      },
    });
    expect(await rejectionOf(env.client.createToken({}))).toEqual({
      code,
      message: 'cannot create token: later',
      retryAfterSeconds: 17,
      ...reason,
    });
  },
);

const FAILURES: [string, unknown, string, string][] = [
  ['a bad bearer', new IssuerFailure('BearerInvalid', 'no'), 'UNAUTHENTICATED', 'no'],
  ['a missing owner', new IssuerFailure('OwnerMissing', 'no'), 'INVALID_ARGUMENT', 'no'],
  ['something malformed', new IssuerFailure('Malformed', 'no'), 'INVALID_ARGUMENT', 'no'],
  ['something out of reach', new IssuerFailure('Unavailable', 'no'), 'UNAVAILABLE', 'no'],
  ['something used up', new IssuerFailure('Exhausted', 'no'), 'RESOURCE_EXHAUSTED', 'no'],
  ['an error of ours', new TypeError('secret of ours'), 'INTERNAL', 'internal error'],
  ['a thrown text', 'secret of ours', 'INTERNAL', 'internal error'],
];

test.each(FAILURES)('%s has its status from every method', async (_name, error, code, message) => {
  const fail = () => {
    throw error;
  };
  await using env = await openServerEnv({
    createToken: async () => fail(),
    deleteTokens: async () => fail(),
    // biome-ignore lint/correctness/useYield: a list that fails before its first token
    async *listTokens() {
      fail();
    },
  });
  const { client } = env;
  const rejections = [
    await rejectionOf(client.createToken({})),
    await rejectionOf(client.getTokens(BEARER)),
    await rejectionOf(client.deleteTokens(BEARER, [])),
  ];
  expect(rejections).toEqual([
    { code, message: `cannot create token: ${message}` },
    { code, message: `cannot get tokens: ${message}` },
    { code, message: `cannot delete tokens: ${message}` },
  ]);
});

test('a list that fails after some tokens ends with the status, behind the tokens', async () => {
  await using env = await openServerEnv({
    async *listTokens() {
      yield [tokenRecord('one')];
      throw new IssuerFailure('Unavailable', 'the rest is out of reach');
    },
  });
  expect(await rejectionOf(env.client.getTokens(BEARER))).toEqual({
    code: 'UNAVAILABLE',
    message: 'cannot get tokens: the rest is out of reach',
  });
});
