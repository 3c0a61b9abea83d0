import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import { actOutInterleavings, type Replicas, startReplicas } from './interleavings.ts';
import { createOwnerBearer, createToken, idOf, makeClient } from './oauth-clients.ts';

/** Two replicas, which share nothing but the API server. */

let replicas: Replicas;

beforeAll(async () => {
  replicas = await startReplicas();
}, 900_000);
afterAll(() => replicas?.close());

const isRejected = async (grpc: GrpcClient, jwt: string): Promise<boolean> =>
  (await rejectionOf(grpc.getTokens(`Bearer ${jwt}`))).code === 'UNAUTHENTICATED';

describe.each(['PerToken', 'Batched'])('with recording %s', (recording) => {
  const theClient = () => makeClient(replicas.installation, replicas.namespace, { spec: { recording } });

  test('what one replica issues, the other lists, validates and revokes at once', async () => {
    const [first, second] = replicas.calls;
    const client = await theClient();
    for (let round = 0; round < 20; round += 1) {
      const jwt = await createToken(first, client);
      expect(await second.getTokens(`Bearer ${jwt}`, { idFilter: [idOf(jwt)] })).toMatchObject([
        { id: idOf(jwt) },
      ]);
      const counts = await second.deleteTokens(`Bearer ${jwt}`, [idOf(jwt)]);
      expect(counts).toEqual({ blacklistedCount: 1n, deletedCount: 0n });
      expect(await isRejected(second, jwt)).toBe(true);
      await eventually(() => isRejected(first, jwt), { timeoutMs: 10_000, intervalMs: 5 });
    }
  }, 60_000);

  test('a revocation holds on the other replica within a second', async () => {
    const [first, second] = replicas.calls;
    const client = await theClient();
    const delays: number[] = [];
    for (let round = 0; round < 100; round += 1) {
      const jwt = await createToken(first, client);
      await first.deleteTokens(`Bearer ${jwt}`, [idOf(jwt)]);
      const revokedAt = performance.now();
      await eventually(() => isRejected(second, jwt), { timeoutMs: 10_000, intervalMs: 2 });
      delays.push(performance.now() - revokedAt);
    }
    delays.sort((a, b) => a - b);
    // Spec §3: 1 s at p99; a machine that is busy with other tests may be late once more.
    expect(delays.at(-3)).toBeLessThan(1000);
  }, 120_000);

  test('delete-all finds what another replica made a moment ago', async () => {
    const [first, second] = replicas.calls;
    const client = await theClient();
    for (let round = 0; round < 20; round += 1) {
      const bearer = await createOwnerBearer(second, client);
      const made = await Promise.all(Array.from({ length: 5 }, () => createToken(first, client)));
      const counts = await second.deleteTokens(`Bearer ${bearer}`, []);
      expect(counts).toEqual({ blacklistedCount: 6n, deletedCount: 0n });
      for (const jwt of made) expect(await isRejected(second, jwt)).toBe(true);
    }
  }, 120_000);
});

// The long form is test/faults/interleavings.test.ts.
test('200 random interleavings end as the model says', () => actOutInterleavings(replicas, 200), 600_000);
