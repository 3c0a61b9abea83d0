import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FairSemaphore } from '../../../../operator/async/fair-semaphore.ts';
import type { FairTurns } from '../../../../operator/async/fair-turns.ts';
import { cachedTokenBatchOf } from '../../../../operator/domain/record/cached-token-batch.ts';
import { cachedIssuedTokenOf } from '../../../../operator/domain/record/issued-token.ts';
import { BatchDraft, type RecordFields } from '../../../../operator/domain/record/token-batch.ts';
import { tokenId } from '../../../../operator/domain/token/declared-token.ts';
import { createListTokens, IdGroups } from '../../../../operator/issuer/registry/list-tokens.ts';
import { createListTurns, createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import type { Bearer } from '../../../../operator/issuer/use-cases.ts';
import { clientWith } from '../clients.ts';
import { declaredToken, FakeRegistry, issuedToken, TOKEN_UID } from './fake-registry.ts';
import { WorkPerTurn } from './work-per-turn.ts';

const idOf = (at: number): string => `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`;
const REVOKED = { blacklisted: { flag: true, timestamp: '2026-01-01T00:00:10Z' } };
const alice: Bearer = { owner: 'alice', onlyID: undefined, client: 'team/app' };
let env: FakeRegistry;
let mutex: number;
let queue: FairSemaphore;

beforeEach(() => {
  env = new FakeRegistry();
  mutex = 0;
  queue = createRequestQueues(env.metrics, env.clock).streams;
});

/** Turns, each of which begins when `turn` resolves. */
const turnsOf = (turn: () => Promise<void>): Pick<FairTurns, 'next'> => ({ next: turn });

const open = (
  bearer: Bearer,
  query: { ids?: string[]; includeBlacklisted?: boolean },
  signal: AbortSignal,
) => {
  const listTokens = createListTokens({
    ...env,
    lookups: env.lookups,
    queue,
    turns: turnsOf(async () => {
      mutex += 1;
    }),
  });
  return listTokens(
    bearer,
    { ids: [], includeBlacklisted: false, ...query },
    { address: '192.0.2.1', signal },
  );
};
const patient = new AbortController().signal;

const list = async (bearer = alice, query: Parameters<typeof open>[1] = {}): Promise<string[]> => {
  const found: string[] = [];
  for await (const chunk of open(bearer, query, patient)) found.push(...chunk.map(({ id }) => id));
  return found;
};
const codeOf = (listing: Promise<unknown>): Promise<string> =>
  listing.then(
    () => 'listed',
    ({ code }: { code: string }) => code,
  );

const content = (owner: string): RecordFields => ({
  tokenName: '',
  audience: [],
  scope: [],
  owner,
  subject: owner,
  issuedAt: 1_767_225_600,
  expiration: undefined,
  keyID: 'key-1',
  originalTokenClaims: undefined,
});

/** Puts a full TokenBatch into the cache; the ids of its records. */
const batch = (at: number, owner: string, { resourceVersion = '1' } = {}): string[] => {
  const draft = new BatchDraft(`${at}0000000-0000-8000-8000-000000000000`, clientWith(undefined), 'app');
  const ids: string[] = [];
  for (let id = draft.add(content(owner)); id !== undefined; id = draft.add(content(owner))) ids.push(id);
  const { metadata, ...object } = draft.build();
  env.batches.putIfNewer(
    cachedTokenBatchOf({
      ...object,
      metadata: {
        ...metadata,
        uid: `uid-of-batch-${at}`,
        resourceVersion,
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
    }),
  );
  return ids;
};

describe('all tokens of an owner', () => {
  test('are those of every kind, earlier JWTs too, in the order of their ids, and no other owner’s', async () => {
    env.cache(issuedToken(idOf(2)));
    env.cache(issuedToken(idOf(1)));
    env.cache(issuedToken(idOf(3), { owner: 'bob' }));
    const [first, second] = [tokenId(TOKEN_UID, 1), tokenId(TOKEN_UID, 2)];
    env.tokens.putIfNewer(
      declaredToken({
        id: second,
        issuance: 2,
        previous: [
          { id: first, issuedAt: '2026-01-01T00:00:00Z', expiration: '2026-01-01T00:30:00Z', keyID: 'key-1' },
        ],
      }),
    );
    expect(await list()).toEqual([idOf(1), idOf(2), first, second].sort());
    expect(await list({ ...alice, owner: 'bob' })).toEqual([idOf(3)]);
    expect(await list({ ...alice, owner: 'carol' })).toEqual([]);
  });

  test('are none of a client that has gone to another issuer', async () => {
    env.cache(issuedToken(idOf(1)));
    env.tokens.putIfNewer(declaredToken());
    expect(await list()).not.toEqual([]);
    env.clients.putIfNewer(clientWith(undefined, { issuer: 'https://other.example' }, '2'));
    expect(await list()).toEqual([]);
  });

  test('leave blacklisted ones out unless these are asked for, and keep expired ones', async () => {
    env.cache(issuedToken(idOf(1), { revoked: true }));
    env.cache(issuedToken(idOf(2), {}, { status: REVOKED }));
    env.cache(issuedToken(idOf(3), { expiration: '2025-01-01T00:00:00Z' }));
    expect(await list()).toEqual([idOf(3)]);
    expect(await list(alice, { includeBlacklisted: true })).toEqual([idOf(1), idOf(2), idOf(3)]);
  });

  test('come in pieces, with a turn for others between them, and end where the caller is gone', async () => {
    for (let at = 0; at < 1000; at += 1) env.cache(issuedToken(idOf(at)));
    expect(await list()).toHaveLength(1000);
    expect(mutex).toBeGreaterThanOrEqual(7);
    const leaving = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const chunk of open(alice, {}, leaving.signal)) {
        seen.push(chunk.length);
        leaving.abort();
      }
    })();
    expect(await codeOf(reading)).toBe('Unavailable');
    expect(seen).toHaveLength(1);
  });

  test('shows what has become of a token meanwhile', async () => {
    for (let at = 0; at < 300; at += 1) env.cache(issuedToken(idOf(at)));
    const found: string[] = [];
    for await (const chunk of open(alice, {}, patient)) {
      if (found.length === 0) env.cache(issuedToken(idOf(299), { revoked: true }, { resourceVersion: '2' }));
      found.push(...chunk.map(({ id }) => id));
    }
    expect(found).not.toContain(idOf(299));
    expect(found).toHaveLength(299);
  });

  test('are in one order with those in TokenBatches, whose names alone are sorted', async () => {
    const between = '50000000-0000-4000-8000-000000000000';
    const ids = [...batch(7, 'alice'), ...batch(2, 'alice'), between, idOf(1)];
    env.cache(issuedToken(between));
    env.cache(issuedToken(idOf(1)));
    batch(3, 'bob');
    expect(await list()).toEqual(ids.sort());
  });

  test('come once each where their TokenBatch changes while they are read', async () => {
    const ids = batch(1, 'alice');
    const found: string[] = [];
    for await (const chunk of open(alice, { includeBlacklisted: true }, patient)) {
      found.push(...chunk.map(({ id }) => id));
      batch(1, 'alice', { resourceVersion: String(found.length) });
    }
    expect(found).toEqual(ids);
  });

  test.each(['tokens', 'issued'] as const)('are not listed from a stale cache of %s', async (kind) => {
    env.fresh[kind] = false;
    expect(await codeOf(list())).toBe('Unavailable');
  });
});

describe('no list keeps others waiting', () => {
  const listWith = async (records: Partial<FakeRegistry['records']>, turn: () => Promise<void>) => {
    const listTokens = createListTokens({
      ...env,
      records: { ...env.records, ...records },
      lookups: env.lookups,
      queue,
      turns: turnsOf(turn),
    });
    const query = { ids: [], includeBlacklisted: false };
    const found: string[] = [];
    for await (const chunk of listTokens(alice, query, { address: '192.0.2.1', signal: patient }))
      found.push(...chunk.map(({ id }) => id));
    return found;
  };

  test.each([
    ['blacklisted', (id: string) => issuedToken(id, {}, { status: REVOKED })],
    ['created again', (id: string) => issuedToken(id, {}, { createdAt: Date.UTC(2026, 1, 1) / 1000 })],
    ['shown', (id: string) => issuedToken(id)],
  ])('while it looks up records that are %s', async (name, object) => {
    for (let at = 0; at < 1000; at += 1) env.cache(object(idOf(at)));
    const work = new WorkPerTurn();
    const find = (id: string) => {
      work.count();
      return env.records.find(id);
    };
    expect(await listWith({ find }, work.turn)).toHaveLength(name === 'shown' ? 1000 : 0);
    expect(work.most).toBeGreaterThan(0);
    expect(work.most).toBeLessThanOrEqual(256);
  });

  test('while many are made at once', async () => {
    for (let at = 0; at < 1000; at += 1) env.cache(issuedToken(idOf(at)));
    const { clock, metrics } = env;
    let [mostMs, since] = [0, clock.monotonic()];
    const find = (id: string) => {
      clock.freeze(0.05);
      return env.records.find(id);
    };
    const turns = createListTurns(metrics, clock, setImmediate);
    const listTokens = createListTokens({
      ...env,
      records: { ...env.records, find },
      lookups: env.lookups,
      queue,
      turns,
    });
    const query = { ids: [], includeBlacklisted: false };
    const listOnce = async (): Promise<number> => {
      let found = 0;
      for await (const chunk of listTokens(alice, query, { address: '192.0.2.1', signal: patient }))
        found += chunk.length;
      return found;
    };
    const listed = Promise.all(Array.from({ length: 64 }, listOnce));
    let isListed = false;
    const done = listed.finally(() => {
      isListed = true;
    });
    while (!isListed) {
      await turnOfTheLoop();
      mostMs = Math.max(mostMs, clock.monotonic() - since);
      since = clock.monotonic();
    }
    await done;
    expect(await listed).toEqual(Array.from({ length: 64 }, () => 1000));
    // 3 ms, and what of 128 records was begun before they were over: 6.4 ms.
    expect(mostMs).toBeGreaterThan(0);
    expect(mostMs).toBeLessThan(10);
  });

  test('while it collects the ids', async () => {
    const work = new WorkPerTurn();
    const ids = Array.from({ length: 20_000 }, (_, at) => idOf(at));
    await listWith({ runsOf: () => work.of(ids) as Generator<string>, find: () => undefined }, work.turn);
    expect(work.most).toBeGreaterThan(0);
    expect(work.most).toBeLessThanOrEqual(4096);
  });
});

describe('tokens by their ids', () => {
  test('come once each, in order, and unknown ids and those of other owners are skipped', async () => {
    env.cache(issuedToken(idOf(2)));
    env.cache(issuedToken(idOf(1)));
    env.cache(issuedToken(idOf(3), { owner: 'bob' }));
    const ids = [idOf(2), idOf(1), idOf(2), idOf(3), idOf(9)];
    expect(await list(alice, { ids })).toEqual([idOf(1), idOf(2)]);
  });

  test('that the cache does not know are asked of the API server, 64 at most', async () => {
    const ids = Array.from({ length: 100 }, (_, at) => idOf(at));
    for (const id of ids) env.store('issued', cachedIssuedTokenOf(issuedToken(id)));
    expect(await list(alice, { ids })).toHaveLength(64);
    expect(env.asked).toHaveLength(64);
  });

  test('of a bearer without a client are looked for where its owner has clients', async () => {
    env.store('issued', cachedIssuedTokenOf(issuedToken(idOf(1))));
    expect(await list({ ...alice, client: undefined }, { ids: [idOf(1)] })).toEqual([idOf(1)]);
    expect(await list({ owner: 'bob', onlyID: undefined, client: undefined }, { ids: [idOf(2)] })).toEqual(
      [],
    );
    expect(env.asked).toEqual([`issued team/${idOf(1)}`]);
  });

  test('are read again while the cache is stale', async () => {
    env.cache(issuedToken(idOf(1)));
    env.cache(issuedToken(idOf(2)));
    env.fresh.issued = false;
    env.store('issued', cachedIssuedTokenOf(issuedToken(idOf(1))));
    expect(await list(alice, { ids: [idOf(1), idOf(2)] })).toEqual([idOf(1)]);
    env.isReachable = false;
    expect(await codeOf(list(alice, { ids: [idOf(1)] }))).toBe('Unavailable');
  });

  test('show no JWT of a declared Token that its status does not record yet', async () => {
    env.tokens.putIfNewer(declaredToken());
    const [current, next] = [tokenId(TOKEN_UID, 1), tokenId(TOKEN_UID, 2)];
    expect(await list(alice, { ids: [current, next] })).toEqual([current]);
  });

  test.each([
    ['more than 1,000', Array.from({ length: 1001 }, (_, at) => idOf(at))],
    ['one that is too long', ['x'.repeat(65)]],
    ['one that is no text', ['\ud800']],
  ])('%s is malformed, and asks nothing', async (_name, ids) => {
    expect(await codeOf(list(alice, { ids }))).toBe('Malformed');
    expect(env.asked).toEqual([]);
  });
});

test('a bearer that may see itself alone sees nothing else, whatever it asks for', async () => {
  env.cache(issuedToken(idOf(1)));
  env.cache(issuedToken(idOf(2)));
  const self = { ...alice, onlyID: idOf(1) };
  expect(await list(self)).toEqual([idOf(1)]);
  expect(await list(self, { ids: [idOf(1), idOf(2)] })).toEqual([idOf(1)]);
  expect(await list(self, { ids: [idOf(2)] })).toEqual([]);
});

test('ids in groups come in the order of all of them', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.uuid(), fc.string({ maxLength: 5 }))), (ids) => {
      const groups = new IdGroups();
      for (const id of ids) groups.add(id);
      expect([...groups.drain()]).toEqual([...ids].sort());
      expect([...groups.drain()]).toEqual([]);
    }),
  );
});

describe('lists that nobody reads to their end', () => {
  const bob: Bearer = { owner: 'bob', onlyID: undefined, client: 'team/bob' };
  const record = (at: number, owner: string): void => env.cache(issuedToken(idOf(at), { owner }));

  /** Begins a list; resolves with whether it was served, and leaves it where it is. */
  const begin = (bearer: Bearer) => {
    const iterator = open(bearer, {}, patient)[Symbol.asyncIterator]();
    const first = iterator.next().then(
      () => 'served',
      ({ code }: { code: string }) => code,
    );
    return { first, end: () => iterator.return?.() };
  };

  test('take no more than the share of their client, and none of another one', async () => {
    record(1, 'alice');
    record(2, 'bob');
    const unread = Array.from({ length: 64 + 256 + 1 }, () => begin(alice));
    expect(await unread[0]?.first).toBe('served');
    expect(await unread.at(-1)?.first).toBe('Exhausted');
    expect(await begin(bob).first).toBe('served');
    // The other client is not there any more.
    await env.clock.advance(10_000);
    await unread[0]?.end();
    expect(await unread[64]?.first).toBe('served');
    // Ids in a filter are not held for long.
    expect(await list(alice, { ids: [idOf(1)] })).toEqual([idOf(1)]);
  });
});
