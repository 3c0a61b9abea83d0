import { beforeEach, describe, expect, test } from '@jest/globals';
import { createDeleteTokens } from '../../../../operator/issuer/registry/delete-tokens.ts';
import type { RevocationTarget } from '../../../../operator/issuer/registry/revoke-records.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import { patient } from '../clients.ts';
import { declaredToken, FakeRegistry, issuedToken } from './fake-registry.ts';
import { WorkPerTurn } from './work-per-turn.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const ALICE = { owner: 'alice', onlyID: undefined, client: 'team/app' };
const call = { address: '192.0.2.1', signal: patient };

let env: FakeRegistry;
let revoked: RevocationTarget[];
/** Clients that belong to another issuer. */
let others: Set<string>;
/** Records that are read from the cache, and targets that are begun. */
let read: WorkPerTurn;
let begun: WorkPerTurn;
/** What happens while the API server lists the records of the owner, of which it finds none by the label. */
let whileListing: () => void;

beforeEach(() => {
  env = new FakeRegistry();
  revoked = [];
  others = new Set();
  read = new WorkPerTurn();
  begun = new WorkPerTurn();
  whileListing = () => undefined;
});

async function* nothing(): AsyncGenerator<readonly never[]> {
  whileListing();
  yield [];
}

const deleteAll = ({ signal } = call) =>
  createDeleteTokens({
    tokens: env.tokens,
    issued: {
      byIndex: (...index) => read.of(env.issued.byIndex(...index)),
      putIfNewer: (record) => env.issued.putIfNewer(record),
    },
    batches: env.batches,
    lookups: env.lookups,
    freshness: env.freshness,
    isOfAnother: (client) => others.has(client),
    listRecordsOfOwner: { issued: nothing, batches: nothing },
    revokeRecords: async (target) => {
      begun.count();
      revoked.push(target);
      return { blacklisted: 1, deleted: 0 };
    },
    queue: createRequestQueues(env.metrics, env.clock).lists,
    turn: () => Promise.all([read.turn(), begun.turn()]).then(() => undefined),
  })(ALICE, [], { ...call, signal });

const kinds = (): string[] => revoked.map(({ kind }) => kind).sort();

describe('all tokens of an owner', () => {
  test('include what the label does not find: users can change it, the owner in the caches they can not', async () => {
    env.tokens.putIfNewer(declaredToken());
    env.cache(issuedToken(ID));
    env.cache(issuedToken('00000000-0000-4000-8000-000000000002', { owner: 'bob' }));
    expect(await deleteAll()).toEqual({ blacklisted: 2, deleted: 0 });
    expect(kinds()).toEqual(['IssuedToken', 'Token']);
  });

  test('are none of a client that belongs to another issuer', async () => {
    env.tokens.putIfNewer(declaredToken());
    env.cache(issuedToken(ID));
    others.add('team/app');
    expect(await deleteAll()).toEqual({ blacklisted: 0, deleted: 0 });
    expect(revoked).toEqual([]);
  });

  test.each(['tokens', 'issued', 'batches'] as const)(
    'are not known while the cache of %s is stale, which may lack some: nothing is revoked and said to be all',
    async (kind) => {
      env.fresh[kind] = false;
      await expect(deleteAll()).rejects.toMatchObject({ code: 'Unavailable' });
      expect(revoked).toEqual([]);
    },
  );

  test('are not known if a cache becomes stale during the list', async () => {
    env.tokens.putIfNewer(declaredToken());
    whileListing = () => {
      env.fresh.tokens = false;
    };
    await expect(deleteAll()).rejects.toMatchObject({ code: 'Unavailable' });
    expect(revoked).toEqual([]);
  });
});

describe('an owner of many tokens', () => {
  const MANY = 10_000;

  beforeEach(() => {
    for (let at = 0; at < MANY; at += 1)
      env.cache(issuedToken(`00000000-0000-4000-8000-${String(at).padStart(12, '0')}`));
  });

  test('keeps nobody waiting, even where there is nothing to write', async () => {
    expect(await deleteAll()).toEqual({ blacklisted: MANY, deleted: 0 });
    expect(new Set(revoked.map(({ uid }) => uid)).size).toBe(MANY);
    expect(read.most).toBeLessThanOrEqual(2048);
    expect(begun.most).toBeLessThanOrEqual(256);
  });

  test('who is gone before all are found has none revoked', async () => {
    const leaving = new AbortController();
    whileListing = () => void setImmediate(() => leaving.abort());
    await expect(deleteAll({ ...call, signal: leaving.signal })).rejects.toMatchObject({
      code: 'Unavailable',
    });
    expect(revoked).toEqual([]);
  });
});
