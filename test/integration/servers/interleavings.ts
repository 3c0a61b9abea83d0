import { expect } from '@jest/globals';
import fc from 'fast-check';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient } from '../../support/grpc.ts';
import { type Installation, install } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { createOwnerBearer, createToken, idOf, makeClient, type TestClient } from './oauth-clients.ts';

/** Two replicas, which share nothing but the API server. */
export interface Replicas {
  readonly installation: Installation;
  readonly namespace: string;
  readonly operators: readonly OperatorProcess[];
  readonly calls: readonly [GrpcClient, GrpcClient];
  close(): Promise<void>;
}

/** Starts them; both are ready. */
export const startReplicas = async (): Promise<Replicas> => {
  const installation = await install();
  const namespace = await installation.api.createNamespace('replicas');
  const operators = await Promise.all([installation.operator(), installation.operator()]);
  await Promise.all(operators.map((operator) => operator.ready()));
  const [first, second] = await Promise.all(operators.map((operator) => connectGrpc(operator)));
  if (!first || !second) throw new Error('two replicas are needed');
  return {
    installation,
    namespace,
    operators,
    calls: [first, second],
    close: async () => {
      for (const replica of [first, second]) replica.close();
      await installation.close();
    },
  };
};

/** One interleaving: how many tokens, made through which replicas and recorded how, and who revokes and reads which of them at once. */
const interleaving = fc.record({
  makers: fc.array(fc.record({ replica: fc.nat(1), client: fc.nat(1) }), { minLength: 1, maxLength: 3 }),
  actions: fc.array(
    fc.record({
      replica: fc.nat(1),
      revokes: fc.boolean(),
      blacklistedToo: fc.boolean(),
      chosen: fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});
type Interleaving = typeof interleaving extends fc.Arbitrary<infer T> ? T : never;

/** Has a client with an IssuedToken a token, and one with TokenBatches. */
interface Owner {
  readonly replicas: Replicas['calls'];
  readonly clients: readonly [TestClient, TestClient];
  readonly bearer: string;
}

const sorted = (ids: Iterable<string>): string[] => [...ids].sort();

interface Outcome {
  readonly authorization: string;
  readonly ids: readonly string[];
  readonly revoked: ReadonlySet<string>;
}

/** Waits until the replica lists as live just what is not revoked; with what is blacklisted it lists all. */
const expectRevoked = async (
  replica: GrpcClient,
  { authorization, ids, revoked }: Outcome,
): Promise<void> => {
  await eventually(
    async () => {
      const live = await replica.getTokens(authorization, { idFilter: ids });
      expect(sorted(live.map(({ id }) => id))).toEqual(sorted(ids.filter((id) => !revoked.has(id))));
    },
    { timeoutMs: 10_000, intervalMs: 5 },
  );
  const all = await replica.getTokens(authorization, { idFilter: ids, includeBlacklisted: true });
  expect(sorted(all.map(({ id }) => id))).toEqual(sorted(ids));
  expect(all.map(({ blacklisted }) => blacklisted?.flag ?? false)).toEqual(
    all.map(({ id }) => revoked.has(id)),
  );
};

/** Acts it out with real calls, and holds every answer and the end to the model: a set of revoked ids. */
const actOut = async ({ makers, actions }: Interleaving, owner: Owner) => {
  const replicaOf = (at: number): GrpcClient => owner.replicas[at === 0 ? 0 : 1];
  const authorization = `Bearer ${owner.bearer}`;
  const jwts = await Promise.all(
    makers.map(({ replica, client }) => createToken(replicaOf(replica), owner.clients[client === 0 ? 0 : 1])),
  );
  const ids = jwts.map(idOf);
  const pick = (chosen: readonly number[]): string[] => [
    ...new Set(chosen.map((at) => ids[at % ids.length] ?? '')),
  ];
  const revoked = new Set(actions.flatMap(({ revokes, chosen }) => (revokes ? pick(chosen) : [])));
  const counts = await Promise.all(
    actions.map(async ({ replica, revokes, blacklistedToo, chosen }) => {
      const idFilter = pick(chosen);
      if (revokes)
        return Number((await replicaOf(replica).deleteTokens(authorization, idFilter)).blacklistedCount);
      const query = { idFilter, includeBlacklisted: blacklistedToo };
      const found = (await replicaOf(replica).getTokens(authorization, query)).map(({ id }) => id);
      const certain = idFilter.filter((id) => blacklistedToo || !revoked.has(id));
      expect(found).toEqual(expect.arrayContaining(certain));
      expect(idFilter).toEqual(expect.arrayContaining(found));
      return 0;
    }),
  );
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(revoked.size);
  for (const replica of owner.replicas) await expectRevoked(replica, { authorization, ids, revoked });
};

const AT_ONCE = 5;

/** Acts out so many random interleavings, {@link AT_ONCE} of them at a time. */
export const actOutInterleavings = async (
  { installation, namespace, calls }: Replicas,
  count: number,
): Promise<void> => {
  const owners = await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const single = await makeClient(installation, namespace);
      const spec = { owner: `owner-of-${single.id}`, recording: 'Batched' };
      const batched = await makeClient(installation, namespace, { spec });
      return {
        replicas: calls,
        clients: [single, batched] as const,
        bearer: await createOwnerBearer(calls[0], single),
      };
    }),
  );
  await Promise.all(
    owners.map((owner) =>
      fc.assert(
        fc.asyncProperty(interleaving, (steps) => actOut(steps, owner)),
        { numRuns: count / AT_ONCE, endOnFailure: true },
      ),
    ),
  );
};
