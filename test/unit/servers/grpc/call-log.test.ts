import { expect, test } from '@jest/globals';
import { IssuerFailure, refused } from '../../../../operator/issuer/failure.ts';
import { rejectionOf } from '../../../support/grpc.ts';
import { openServerEnv, type ServerEnv } from './server-env.ts';

/** What the log and the metrics get of a call. */

const SECRETS = ['the-bearer', 'the-secret', 'the-assertion', 'access-token'];
const callAll = async ({ client }: ServerEnv): Promise<void> => {
  const request = { clientId: 'id', clientSecret: 'the-secret', clientAssertion: 'the-assertion' };
  await Promise.allSettled([
    client.createToken(request),
    client.getTokens('Bearer the-bearer'),
    client.deleteTokens('Bearer the-bearer', ['one']),
  ]);
};

const callLines = (env: ServerEnv) =>
  env.log.lines
    .filter(({ message }) => message === 'gRPC call')
    .map(({ level, fields }) => ({ level, method: '', ...fields }))
    .toSorted((a, b) => a.method.localeCompare(b.method));

test('each successful call is one line, with names and counts', async () => {
  await using env = await openServerEnv();
  await callAll(env);
  const common = { code: 'OK', ms: expect.any(Number), address: '127.0.0.1' };
  expect(callLines(env)).toEqual([
    { ...common, level: 'info', method: 'CreateToken', jti: 'jti', client: 'client-id' },
    { ...common, level: 'info', method: 'DeleteTokens', client: 'ns/client', blacklisted: 1, deleted: 2 },
    { ...common, level: 'debug', method: 'GetTokens', client: 'ns/client', tokens: 1 },
  ]);
});

test('each call is counted, with its seconds', async () => {
  await using env = await openServerEnv();
  await callAll(env);
  const counted = env.metrics.calls.toSorted((a, b) => String(a[1]).localeCompare(String(b[1])));
  expect(counted).toEqual([
    ['grpcCall', 'CreateToken', 'OK', expect.any(Number)],
    ['grpcCall', 'DeleteTokens', 'OK', expect.any(Number)],
    ['grpcCall', 'GetTokens', 'OK', expect.any(Number)],
  ]);
  for (const [, , , seconds] of counted) expect(seconds).toBeLessThan(5);
});

test.each<[string, unknown, object]>([
  [
    'a rejection is logged with its reason and detail',
    refused('invalid_scope', 'no such scope', 'scopes of the client'),
    {
      level: 'info',
      code: 'UNAUTHENTICATED',
      failure: 'Refused',
      why: 'no such scope',
      reason: 'invalid_scope',
      detail: 'scopes of the client',
    },
  ],
  [
    'what is out of reach is a warning, with its cause',
    new IssuerFailure('Unavailable', 'later', { cause: new Error('refused by the API server') }),
    {
      level: 'warn',
      code: 'UNAVAILABLE',
      failure: 'Unavailable',
      why: 'later',
      error: new Error('refused by the API server'),
    },
  ],
  [
    'what is used up is a warning',
    new IssuerFailure('Exhausted', 'enough'),
    { level: 'warn', code: 'RESOURCE_EXHAUSTED', failure: 'Exhausted', why: 'enough' },
  ],
  [
    'an error of ours is an error, with its cause',
    new TypeError('x is not a function'),
    { level: 'error', code: 'INTERNAL', error: new TypeError('x is not a function') },
  ],
])('%s', async (_name, error, expected) => {
  await using env = await openServerEnv({
    createToken: async () => {
      throw error;
    },
  });
  await rejectionOf(env.client.createToken({}));
  expect(callLines(env)).toEqual([
    { method: 'CreateToken', ms: expect.any(Number), address: '127.0.0.1', ...expected },
  ]);
});

test('no secret, assertion, bearer or token is in any line', async () => {
  await using env = await openServerEnv();
  await callAll(env);
  await using failing = await openServerEnv({
    createToken: async () => {
      throw new Error('broken');
    },
    authenticateBearer: async () => {
      throw new IssuerFailure('BearerInvalid', 'bad bearer');
    },
  });
  await callAll(failing);
  const text = JSON.stringify([...env.log.lines, ...failing.log.lines]);
  expect(text).toContain('CreateToken');
  for (const secret of SECRETS) expect(text).not.toContain(secret);
});
