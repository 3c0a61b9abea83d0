import { beforeEach, describe, expect, test } from '@jest/globals';
import { formatTime } from '../../../../operator/api/time.ts';
import type { TokenBatchStatus } from '../../../../operator/api/token-batch.ts';
import {
  batchedId,
  type CachedTokenBatch,
  cachedTokenBatchOf,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import { BatchDraft } from '../../../../operator/domain/record/token-batch.ts';
import { watchRevocations } from '../../../../operator/issuer/registry/revocations.ts';
import { clientWith, patient } from '../clients.ts';
import { claimsOf, EXPIRES, FakeRegistry, jwtOf, KID } from './fake-registry.ts';

const NAME = '00000000-0000-8000-8000-000000000000';
const ID = batchedId(NAME, 0);
const call = { address: '192.0.2.1', signal: patient };
const ALICE = { owner: 'alice', onlyID: undefined, client: 'team/app' };

/** Three records of `alice` and one of `bob`, of the client `team/app`. */
const batch = (
  status?: TokenBatchStatus,
  resourceVersion = '1',
  createdAt = EXPIRES - 3600,
): CachedTokenBatch => {
  const draft = new BatchDraft(NAME, clientWith(undefined), 'app');
  for (const owner of ['alice', 'alice', 'alice', 'bob']) {
    draft.add({
      tokenName: '',
      audience: [],
      scope: [],
      owner,
      subject: owner,
      issuedAt: EXPIRES - 3600,
      expiration: EXPIRES,
      keyID: KID,
      originalTokenClaims: undefined,
    });
  }
  const built = draft.build();
  const stored = { uid: 'uid-of-batch', resourceVersion, creationTimestamp: formatTime(createdAt) };
  return cachedTokenBatchOf({
    ...built,
    metadata: { ...built.metadata, ...stored },
    ...(status && { status }),
  });
};

let env: FakeRegistry;
beforeEach(() => {
  env = new FakeRegistry();
});

const result = async (id: string, changes: object = {}): Promise<string> => {
  const validation = await env.validateJwt(jwtOf(claimsOf(id, changes)));
  return validation.kind === 'valid' ? 'valid' : validation.fault;
};

describe('a batched token', () => {
  test('is valid by the caches alone', async () => {
    env.batches.putIfNewer(batch());
    expect(await result(ID)).toBe('valid');
    expect(await result(batchedId(NAME, 3), { sub: 'bob' })).toBe('valid');
    expect(await result(batchedId(NAME, 3))).toBe('RecordDisagrees');
    expect(env.asked).toEqual([]);
  });

  test('whose batch was created again is unknown, without a read, and listed nowhere', async () => {
    env.batches.putIfNewer(batch(undefined, '1', EXPIRES - 60));
    expect(await result(ID)).toBe('Unknown');
    expect(env.asked).toEqual([]);
    expect(env.records.find(ID)).toBeUndefined();
  });

  test('that no cache knows is found by one GET of its batch', async () => {
    env.store('batches', batch());
    expect(await Promise.all([0, 1, 2].map((at) => result(batchedId(NAME, at))))).toEqual([
      'valid',
      'valid',
      'valid',
    ]);
    expect(env.asked).toEqual([`batches team/${NAME}`]);
  });

  test('that is blacklisted is rejected, whatever its watch does', async () => {
    env.batches.putIfNewer(batch({ blacklisted: { 0: formatTime(EXPIRES - 60) } }));
    env.fresh.batches = false;
    env.isReachable = false;
    expect(await result(ID)).toBe('Blacklisted');
  });

  test('is read again while the cache is stale', async () => {
    env.batches.putIfNewer(batch());
    env.store('batches', batch({ blacklisted: { 0: formatTime(EXPIRES - 60) } }, '2'));
    env.fresh.batches = false;
    expect(await result(ID)).toBe('Blacklisted');
  });

  test('that was deleted, or whose batch is, is unknown', async () => {
    env.batches.putIfNewer(batch({ deleted: [0] }));
    expect(await result(ID)).toBe('Unknown');
    env.batches.forget(`team/${NAME}`, 'uid-of-batch');
    expect(await result(batchedId(NAME, 1))).toBe('Unknown');
  });
});

describe('a filter of batched ids', () => {
  const ids = [0, 1, 2, 3].map((at) => batchedId(NAME, at));

  test('costs one read of their batch, and gives those of the owner', async () => {
    env.store('batches', batch());
    const found = await env.lookups.find(ALICE, ids, call);
    expect(found.map(({ id }) => id)).toEqual(ids.slice(0, 3));
    expect(env.asked).toEqual([`batches team/${NAME}`]);
  });

  test('likewise while the cache is stale', async () => {
    env.batches.putIfNewer(batch());
    env.store('batches', batch(undefined, '2'));
    env.fresh.batches = false;
    expect(await env.lookups.find(ALICE, ids, call)).toHaveLength(3);
    expect(env.asked).toEqual([`batches team/${NAME}`]);
  });
});

test('each record that becomes blacklisted is counted', () => {
  watchRevocations({ ...env, isLeading: () => true });
  const at = formatTime(env.clock.now() / 1000 - 2);
  env.batches.putIfNewer(batch({ blacklisted: { 0: at } }));
  env.batches.putIfNewer(batch({ blacklisted: { 0: at, 1: at, 3: at } }, '2'));
  env.batches.putIfNewer(batch({ blacklisted: { 0: at, 1: at, 3: at }, deleted: [0] }, '3'));
  expect(env.metrics.calls).toEqual([
    ['revocationSeen', 2],
    ['tokenBlacklisted'],
    ['revocationSeen', 2],
    ['tokenBlacklisted'],
  ]);
});
