import { beforeEach, describe, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { IssuerFailure } from '../../../../operator/issuer/failure.ts';
import { type AdmitToken, createClientLimits } from '../../../../operator/issuer/limits/client-limits.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { cacheOf, clientWith } from '../clients.ts';

let clock: FakeClock;
let metrics: ReturnType<typeof recordedMetrics>;
let share: number;
let clients: ReturnType<typeof cacheOf>;
let admit: AdmitToken;

const withLimits = (limits: OAuthClient['spec']['limits'], resourceVersion = '1'): OAuthClient =>
  clientWith({}, { limits }, resourceVersion);

beforeEach(() => {
  clock = new FakeClock();
  metrics = recordedMetrics();
  share = 1;
  clients = cacheOf();
  const defaults = { tokensPerSecond: 0, burst: 0, activeTokens: 0 };
  ({ admit } = createClientLimits({ clients, defaults, share: () => share, clock, metrics }));
});

/** How many of so many tokens are admitted now. */
const admitted = (client: OAuthClient, count: number): number => {
  let passed = 0;
  for (let at = 0; at < count; at += 1) {
    try {
      admit(client)?.end();
      passed += 1;
    } catch (error) {
      if (!(error instanceof IssuerFailure)) throw error;
    }
  }
  return passed;
};

const failureOf = (client: OAuthClient): IssuerFailure => {
  try {
    admit(client);
  } catch (error) {
    return error as IssuerFailure;
  }
  throw new Error('the token is admitted');
};

test('a client without limits is admitted without anything to end', () => {
  expect(admit(withLimits(undefined))).toBeUndefined();
});

describe('a rate', () => {
  const client = withLimits({ tokensPerSecond: 2, burst: 5 });

  test('lets the burst pass, then so many per second', async () => {
    expect(admitted(client, 20)).toBe(5);
    await clock.advance(3000);
    expect(admitted(client, 20)).toBe(6 - 1);
    await clock.advance(1000);
    expect(admitted(client, 20)).toBe(2);
  });

  test('rejects with the limit, and when a retry may succeed', () => {
    admitted(client, 5);
    expect(failureOf(client)).toMatchObject({
      code: 'Limited',
      message: 'the client gets at most 2 token(s) per second, try again later',
      retryAfterSeconds: 1,
    });
    expect(metrics.calls).toEqual([['tokenRequestRejected', 'RateExceeded']]);
  });

  test('says how long a small share makes a client wait', () => {
    share = 0.1;
    const slow = withLimits({ tokensPerSecond: 1 });
    admitted(slow, 1);
    expect(failureOf(slow).retryAfterSeconds).toBe(10);
  });

  test('counts each client on its own', () => {
    admitted(client, 5);
    const other = { ...client, metadata: { ...client.metadata, name: 'other', uid: 'other' } };
    expect(admitted(other, 20)).toBe(5);
  });

  test('gives back what an assertion that was used before has taken', () => {
    admitted(client, 4);
    const admission = admit(client);
    admission?.giveBack();
    admission?.end();
    expect(admitted(client, 20)).toBe(1);
  });

  test('is that of the replica’s share, and at least one token', async () => {
    share = 0.5;
    const even = withLimits({ tokensPerSecond: 10, burst: 10 });
    expect(admitted(even, 20)).toBe(5);
    await clock.advance(1000);
    expect(admitted(even, 20)).toBe(5);
    share = 0.01;
    expect(admitted(withLimits({ tokensPerSecond: 10, burst: 1 }, '2'), 20)).toBe(0);
    await clock.advance(10_000);
    expect(admitted(withLimits({ tokensPerSecond: 10, burst: 1 }, '2'), 20)).toBe(1);
  });

  test('a share that grows gives no burst', async () => {
    share = 0.5;
    const even = withLimits({ tokensPerSecond: 10, burst: 10 });
    expect(admitted(even, 20)).toBe(5);
    share = 1;
    expect(admitted(even, 20)).toBe(0);
    await clock.advance(500);
    expect(admitted(even, 20)).toBe(5);
  });

  test('that is changed applies at once, and gives no burst', () => {
    admitted(client, 5);
    expect(admitted(withLimits({ tokensPerSecond: 100, burst: 100 }, '2'), 20)).toBe(0);
  });

  test('of a client that was made again starts anew', () => {
    admitted(client, 5);
    const again = { ...client, metadata: { ...client.metadata, uid: 'again' } };
    expect(admitted(again, 20)).toBe(5);
  });

  test('of a client that is deleted is forgotten', () => {
    clients.putIfNewer(client);
    admitted(client, 5);
    clients.forget('team/app', client.metadata.uid);
    expect(admitted(client, 20)).toBe(5);
  });
});
