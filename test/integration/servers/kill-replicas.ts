import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { batchedId } from '../../../operator/domain/record/cached-token-batch.ts';
import { bodyOf, type KubeObject } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient } from '../../support/grpc.ts';
import { type Installation, install } from '../../support/installation.ts';
import { createOwnerBearer, createToken, idOf, makeClient, type TestClient } from './oauth-clients.ts';

/** `kill -9` of replicas in the middle of batched load. */

/** Replicas that are killed and begun anew beside each other. */
const LANES = 4;
const IN_FLIGHT = 16;
/** A kill comes at most so long after the first token. */
const LONGEST_MS = 150;

const FAST_LEASE = { leaderElection: { leaseDuration: '3s', renewDeadline: '2s', retryPeriod: '200ms' } };
const EARLY_COLLECTION = {
  ...FAST_LEASE,
  garbageCollection: { ttlAfterExpiry: '1s', ttlAfterBlacklisted: '720h' },
};

let installation: Installation;
let namespace: string;
let client: TestClient;
let short: TestClient;

const setUp = async (): Promise<void> => {
  installation = await install();
  namespace = await installation.api.createNamespace('kills');
  const operator = await installation.operator({ config: FAST_LEASE });
  const spec = { owner: 'killed', recording: 'Batched' };
  client = await makeClient(installation, namespace, { spec });
  short = await makeClient(installation, namespace, { spec: { ...spec, accessTokenLifetime: '10s' } });
  await operator.stop();
};

/** What callers got as responses. */
class Ledger {
  /** Ids of tokens that were issued. */
  readonly issued: string[] = [];
  /** Those of them that DeleteTokens reported as blacklisted. */
  readonly revoked = new Set<string>();
}

/** Asks for tokens of both clients, and revokes every fourth, until the replica is gone. */
const load = async (calls: GrpcClient, ledger: Ledger, onFirst: () => void): Promise<void> => {
  const worker = async (): Promise<void> => {
    for (;;) {
      const jwt = await createToken(calls, ledger.issued.length % 2 === 0 ? client : short);
      const id = idOf(jwt);
      ledger.issued.push(id);
      onFirst();
      if (ledger.issued.length % 4 !== 0) continue;
      const { blacklistedCount } = await calls.deleteTokens(`Bearer ${jwt}`, [id]);
      if (blacklistedCount === 1n) ledger.revoked.add(id);
    }
  };
  await Promise.allSettled(Array.from({ length: IN_FLIGHT }, worker));
};

const killOnce = async (ledger: Ledger): Promise<void> => {
  const operator = await installation.operator({ config: FAST_LEASE });
  await operator.ready();
  const calls = await connectGrpc(operator);
  const { promise: begun, resolve: onFirst } = Promise.withResolvers<void>();
  const loading = load(calls, ledger, onFirst);
  await begun;
  await new Promise((resolve) => setTimeout(resolve, randomInt(LONGEST_MS)));
  await operator.kill();
  await loading;
  calls.close();
};

const batches = async (): Promise<readonly KubeObject[]> =>
  bodyOf(
    await installation.api.list({
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'TokenBatch',
      metadata: { namespace },
    }),
  ).items;

const recordedIn = (objects: readonly KubeObject[]): string[] =>
  objects.flatMap(({ metadata, spec }) =>
    (spec.tokens as string[]).map((_, position) => batchedId(metadata.name, position)),
  );

const blacklistedIn = (objects: readonly KubeObject[]): Set<string> =>
  new Set(
    objects.flatMap(({ metadata, status }) =>
      Object.keys(status?.blacklisted ?? {}).map((position) => batchedId(metadata.name, Number(position))),
    ),
  );

const missing = (wanted: Iterable<string>, there: Iterable<string>): string[] => {
  const known = new Set(there);
  return [...wanted].filter((id) => !known.has(id));
};

/** So many kills, and more while none has come after a revocation: where a machine is slow, most come before. */
const killMany = async (kills: number, ledger: Ledger): Promise<void> => {
  let left = kills;
  let more = 3 * kills;
  const isEnough = (): boolean => left <= 0 && (ledger.revoked.size > 0 || more <= 0);
  const lane = async (): Promise<void> => {
    while (!isEnough()) {
      if (left > 0) left -= 1;
      else more -= 1;
      await killOnce(ledger);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
};

const expectRecords = async ({ issued, revoked }: Ledger): Promise<void> => {
  const objects = await batches();
  const recorded = recordedIn(objects);
  expect(missing(issued, recorded)).toEqual([]);
  expect(missing(recorded, issued)).not.toEqual([]);
  expect(revoked.size).toBeGreaterThan(0);
  expect(missing(revoked, blacklistedIn(objects))).toEqual([]);
};

const expectRevokedAndCollected = async ({ revoked }: Ledger): Promise<void> => {
  const operator = await installation.operator({ config: EARLY_COLLECTION });
  await operator.ready();
  const calls = await connectGrpc(operator);
  const bearer = `Bearer ${await createOwnerBearer(calls, client)}`;
  const valid = new Set((await calls.getTokens(bearer)).map(({ id }) => id));
  expect([...revoked].filter((id) => valid.has(id))).toEqual([]);
  calls.close();
  await eventually(
    async () => {
      const expired = (await batches()).filter(({ spec }) => spec.clientID === short.id);
      expect(expired).toEqual([]);
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  );
  await operator.stop();
};

/** Defines the test: replicas are killed so many times, and what they recorded holds. */
export const testKills = (kills: number): void => {
  beforeAll(setUp, 900_000);
  afterAll(() => installation?.close());
  test(`${kills} kills at random moments: each issued token has its record, each revoked one stays revoked, a record whose token no caller got is collected`, async () => {
    const ledger = new Ledger();
    await killMany(kills, ledger);
    expect(ledger.issued.length).toBeGreaterThan(kills);
    await expectRecords(ledger);
    await expectRevokedAndCollected(ledger);
  }, 900_000);
};
