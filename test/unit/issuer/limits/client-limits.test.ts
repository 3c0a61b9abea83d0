import { beforeEach, describe, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../../operator/domain/record/cached-issued-token.ts';
import {
  BATCH_INDEXERS,
  type CachedTokenBatch,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import { IssuerFailure } from '../../../../operator/issuer/failure.ts';
import { type AdmitToken, createClientLimits } from '../../../../operator/issuer/limits/client-limits.ts';
import { Rejections } from '../../../../operator/issuer/limits/rejections.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';
import { makeRecord, type RecordTraits } from '../../domain/record/issued-token-fixtures.ts';
import { CLIENT_UID, cacheOf, clientWith } from '../clients.ts';

let clock: FakeClock;
let metrics: ReturnType<typeof recordedMetrics>;
let share: number;
let rejections: Rejections;
let clients: ReturnType<typeof cacheOf>;
let issued: ObjectStore<CachedIssuedToken>;
let admit: AdmitToken;

const withLimits = (limits: OAuthClient['spec']['limits'], resourceVersion = '1'): OAuthClient =>
  clientWith({}, { limits }, resourceVersion);

beforeEach(() => {
  clock = new FakeClock();
  metrics = recordedMetrics();
  share = 1;
  rejections = new Rejections(clock);
  clients = cacheOf();
  const defaults = { tokensPerSecond: 0, burst: 0, activeTokens: 0 };
  issued = new ObjectStore<CachedIssuedToken>({ log: recordedLog(), indexers: ISSUED_INDEXERS });
  const batches = new ObjectStore<CachedTokenBatch>({ log: recordedLog(), indexers: BATCH_INDEXERS });
  batches.markSynced();
  const records = { issued, batches };
  ({ admit } = createClientLimits({
    records,
    defer: setImmediate,
    clients,
    defaults,
    share: () => share,
    rejections,
    clock,
    metrics,
  }));
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

describe('a number of active tokens', () => {
  const limited = (activeTokens: number, more: OAuthClient['spec']['limits'] = {}): OAuthClient => {
    const client = withLimits({ activeTokens, ...more });
    return { ...client, metadata: { ...client.metadata, namespace: 'n' } };
  };
  const record = (n: number, traits: RecordTraits = {}) =>
    issued.apply(
      makeRecord({
        id: `5b2f0f0e-8f0a-4d53-9c1a-${String(n).padStart(12, '0')}`,
        clientUID: CLIENT_UID,
        ...traits,
      }),
    );

  beforeEach(() => issued.markSynced());

  test('is reached with those that are recorded and those that are about to be', () => {
    record(1);
    const first = admit(limited(3));
    admit(limited(3));
    expect(failureOf(limited(3))).toMatchObject({
      code: 'Limited',
      message:
        'the client has 3 active token(s), as many as it may have: try again when one has expired or is revoked',
      retryAfterSeconds: 60,
    });
    expect(metrics.calls).toEqual([['tokenRequestRejected', 'ActiveTokensExceeded']]);
    first?.end();
    expect(admitted(limited(3), 1)).toBe(1);
  });

  test('has room again when one expires, whose time Retry-After says', async () => {
    record(1, { expiresAt: 17 });
    expect(failureOf(limited(1)).retryAfterSeconds).toBe(17);
    await clock.advance(17_000);
    expect(admitted(limited(1), 1)).toBe(1);
  });

  test('takes nothing of the rate when it rejects', () => {
    record(1);
    const both = limited(1, { tokensPerSecond: 1 });
    expect(failureOf(both).message).toContain('active');
    issued.remove(makeRecord({ id: '5b2f0f0e-8f0a-4d53-9c1a-000000000001', resourceVersion: '2' }));
    expect(admitted(both, 1)).toBe(1);
  });

  test('is not pending after the rate has rejected', () => {
    const both = limited(1, { tokensPerSecond: 1 });
    admit(both)?.end();
    expect(failureOf(both).message).toContain('per second');
    clock.freeze(1000);
    expect(admitted(both, 1)).toBe(1);
  });

  test('is counted anew after it was removed meanwhile', () => {
    const client = limited(1);
    admit(client)?.end();
    clients.putIfNewer({ ...client, spec: { ...client.spec, limits: {} } });
    record(1);
    expect(failureOf(client).code).toBe('Limited');
  });
});

test('the number of active tokens is not known before the records are read', () => {
  expect(failureOf(withLimits({ activeTokens: 1 }))).toMatchObject({ code: 'Unavailable' });
});

test('what is rejected is reported to the leader, with its reason', () => {
  const client = withLimits({ tokensPerSecond: 1 });
  admitted(client, 3);
  expect(rejections.report()).toBe(
    JSON.stringify([['team/app', client.metadata.uid, clock.now() / 1000, 2, 0]]),
  );
});
