import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, refusalOf } from '../../support/grpc.ts';
import { type Installation, install } from '../../support/installation.ts';
import { createToken, idOf, makeClient, type TestClient } from './stage.ts';

/** Two replicas, which share nothing but the API server. */

let installation: Installation;
let namespace: string;
let doors: readonly [GrpcClient, GrpcClient];

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('replicas');
  const operators = await Promise.all([installation.operator(), installation.operator()]);
  await Promise.all(operators.map((operator) => operator.ready()));
  const [first, second] = await Promise.all(operators.map((operator) => connectGrpc(operator)));
  if (!first || !second) throw new Error('two doors are needed');
  doors = [first, second];
}, 900_000);

afterAll(async () => {
  for (const door of doors ?? []) door.close();
  await installation?.close();
});

const isRefused = async (door: GrpcClient, jwt: string): Promise<boolean> =>
  (await refusalOf(door.getTokens(`Bearer ${jwt}`))).code === 'UNAUTHENTICATED';

describe.each(['PerToken', 'Batched'])('with recording %s', (recording) => {
  const theClient = () => makeClient(installation, namespace, { spec: { recording } });

  test('what one replica hands out, the other lists, judges and revokes at once', async () => {
    const [first, second] = doors;
    const client = await theClient();
    for (let round = 0; round < 20; round += 1) {
      const jwt = await createToken(first, client);
      expect(await second.getTokens(`Bearer ${jwt}`, { idFilter: [idOf(jwt)] })).toMatchObject([
        { id: idOf(jwt) },
      ]);
      const counts = await second.deleteTokens(`Bearer ${jwt}`, [idOf(jwt)]);
      expect(counts).toEqual({ blacklistedCount: 1n, deletedCount: 0n });
      expect(await isRefused(second, jwt)).toBe(true);
      await eventually(() => isRefused(first, jwt), { timeoutMs: 10_000, intervalMs: 5 });
    }
  }, 60_000);

  test('a revocation holds on the other replica within a second', async () => {
    const [first, second] = doors;
    const client = await theClient();
    const delays: number[] = [];
    for (let round = 0; round < 100; round += 1) {
      const jwt = await createToken(first, client);
      await first.deleteTokens(`Bearer ${jwt}`, [idOf(jwt)]);
      const revokedAt = performance.now();
      await eventually(() => isRefused(second, jwt), { timeoutMs: 10_000, intervalMs: 2 });
      delays.push(performance.now() - revokedAt);
    }
    delays.sort((a, b) => a - b);
    // Spec §3: 1 s at p99; a machine that is busy with other tests may be late once more.
    expect(delays.at(-3)).toBeLessThan(1000);
  }, 120_000);

  test('delete-all finds what another replica made a moment ago', async () => {
    const [first, second] = doors;
    const client = await theClient();
    for (let round = 0; round < 20; round += 1) {
      const bearer = await createToken(second, client);
      const made = await Promise.all(Array.from({ length: 5 }, () => createToken(first, client)));
      const counts = await second.deleteTokens(`Bearer ${bearer}`, []);
      expect(counts).toEqual({ blacklistedCount: 6n, deletedCount: 0n });
      for (const jwt of made) expect(await isRefused(second, jwt)).toBe(true);
    }
  }, 120_000);
});

/** One interleaving: how many tokens, made through which replicas and recorded how, and who revokes and reads which of them at once. */
const interleaving = fc.record({
  makers: fc.array(fc.record({ door: fc.nat(1), client: fc.nat(1) }), { minLength: 1, maxLength: 3 }),
  actions: fc.array(
    fc.record({
      door: fc.nat(1),
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
  readonly clients: readonly [TestClient, TestClient];
  readonly bearer: string;
}

const sorted = (ids: Iterable<string>): string[] => [...ids].sort();

/** Acts it out with real calls, and holds every answer and the end to the model: a set of revoked ids. */
const actOut = async ({ makers, actions }: Interleaving, owner: Owner) => {
  const replicaOf = (at: number): GrpcClient => doors[at === 0 ? 0 : 1];
  const authorization = `Bearer ${owner.bearer}`;
  const jwts = await Promise.all(
    makers.map(({ door, client }) => createToken(replicaOf(door), owner.clients[client === 0 ? 0 : 1])),
  );
  const ids = jwts.map(idOf);
  const pick = (chosen: readonly number[]): string[] => [
    ...new Set(chosen.map((at) => ids[at % ids.length] ?? '')),
  ];
  const revoked = new Set(actions.flatMap(({ revokes, chosen }) => (revokes ? pick(chosen) : [])));
  const counts = await Promise.all(
    actions.map(async ({ door, revokes, blacklistedToo, chosen }) => {
      const idFilter = pick(chosen);
      if (revokes)
        return Number((await replicaOf(door).deleteTokens(authorization, idFilter)).blacklistedCount);
      const query = { idFilter, includeBlacklisted: blacklistedToo };
      const found = (await replicaOf(door).getTokens(authorization, query)).map(({ id }) => id);
      const certain = idFilter.filter((id) => blacklistedToo || !revoked.has(id));
      expect(found).toEqual(expect.arrayContaining(certain));
      expect(idFilter).toEqual(expect.arrayContaining(found));
      return 0;
    }),
  );
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(revoked.size);
  for (const door of doors) {
    await eventually(
      async () => {
        const live = await door.getTokens(authorization, { idFilter: ids });
        expect(sorted(live.map(({ id }) => id))).toEqual(sorted(ids.filter((id) => !revoked.has(id))));
      },
      { timeoutMs: 10_000, intervalMs: 5 },
    );
    const all = await door.getTokens(authorization, { idFilter: ids, includeBlacklisted: true });
    expect(sorted(all.map(({ id }) => id))).toEqual(sorted(ids));
    expect(all.map(({ blacklisted }) => blacklisted?.flag ?? false)).toEqual(
      all.map(({ id }) => revoked.has(id)),
    );
  }
};

const INTERLEAVINGS = 1000;
const AT_ONCE = 5;

test('1,000 random interleavings end as the model says', async () => {
  const owners = await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const single = await makeClient(installation, namespace);
      const spec = { owner: `owner-of-${single.id}`, recording: 'Batched' };
      const batched = await makeClient(installation, namespace, { spec });
      return { clients: [single, batched] as const, bearer: await createToken(doors[0], single) };
    }),
  );
  await Promise.all(
    owners.map((owner) =>
      fc.assert(
        fc.asyncProperty(interleaving, (steps) => actOut(steps, owner)),
        { numRuns: INTERLEAVINGS / AT_ONCE, endOnFailure: true },
      ),
    ),
  );
}, 600_000);
