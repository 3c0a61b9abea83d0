import { beforeEach, describe, expect, test } from '@jest/globals';
import { createDeleteTokens } from '../../../../operator/issuer/registry/delete-tokens.ts';
import type { RevocationTarget } from '../../../../operator/issuer/registry/revoke-records.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import { patient } from '../clients.ts';
import { declaredToken, FakeRegistry, issuedToken } from './fake-registry.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const ALICE = { owner: 'alice', onlyID: undefined, client: 'team/app' };
const call = { address: '192.0.2.1', signal: patient };

let env: FakeRegistry;
let revoked: RevocationTarget[];
/** What happens while the API server lists the records of the owner, of which it finds none by the label. */
let whileListing: () => void;

beforeEach(() => {
  env = new FakeRegistry();
  revoked = [];
  whileListing = () => undefined;
});

async function* nothing(): AsyncGenerator<readonly never[]> {
  whileListing();
  yield [];
}

const deleteAll = () =>
  createDeleteTokens({
    tokens: env.tokens,
    issued: env.issued,
    batches: env.batches,
    lookups: env.lookups,
    freshness: env.freshness,
    listRecordsOfOwner: { issued: nothing, batches: nothing },
    revokeRecords: async (target) => {
      revoked.push(target);
      return { blacklisted: 1, deleted: 0 };
    },
    queue: createRequestQueues(env.metrics, env.clock).lists,
  })(ALICE, [], call);

const kinds = (): string[] => revoked.map(({ kind }) => kind).sort();

describe('all tokens of an owner', () => {
  test('include what the label does not find: users can change it, the owner in the caches they can not', async () => {
    env.tokens.putIfNewer(declaredToken());
    env.cache(issuedToken(ID));
    env.cache(issuedToken('00000000-0000-4000-8000-000000000002', { owner: 'bob' }));
    expect(await deleteAll()).toEqual({ blacklisted: 2, deleted: 0 });
    expect(kinds()).toEqual(['IssuedToken', 'Token']);
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
