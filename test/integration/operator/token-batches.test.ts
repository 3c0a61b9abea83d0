import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { batchNameOf, positionOf } from '../../../operator/domain/record/cached-token-batch.ts';
import { bodyOf, type KubeObject, type Ref } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import {
  GROUP_VERSION,
  type Installation,
  install,
  oauthClient,
  signingKey,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { createToken, ISSUER, idOf, makeClient, type TestClient } from '../servers/oauth-clients.ts';

/** The compiled operator with TokenBatches, with its ServiceAccount's permissions and no others. */

let installation: Installation;
let operator: OperatorProcess;
let grpc: GrpcClient;
let namespace: string;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('batches');
  operator = await installation.operator({
    config: { garbageCollection: { ttlAfterExpiry: '1s', ttlAfterBlacklisted: '720h' } },
  });
  await operator.ready();
  grpc = await connectGrpc(operator);
}, 900_000);
afterAll(async () => {
  grpc?.close();
  await installation?.close();
});

const batchedClient = (spec: object = {}): Promise<TestClient> =>
  makeClient(installation, namespace, { spec: { recording: 'Batched', ...spec } });

const create = (client: TestClient, expiration = 0): Promise<string> =>
  createToken(grpc, client, { audience: [ISSUER], expiration: BigInt(expiration) });

const many = (client: TestClient, count: number, expiration = 0): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => create(client, expiration)));

const refOf = (jwt: string): Ref => ({
  apiVersion: GROUP_VERSION,
  kind: 'TokenBatch',
  metadata: { name: batchNameOf(idOf(jwt)), namespace },
});
const batchOf = async (jwt: string): Promise<KubeObject> => bodyOf(await installation.api.get(refOf(jwt)));
const isGone = (jwt: string): Promise<void> =>
  eventually(async () => expect((await installation.api.get(refOf(jwt))).status).toBe(404), {
    timeoutMs: 30_000,
  });
const isRefused = async (jwt: string): Promise<boolean> =>
  (await rejectionOf(grpc.getTokens(`Bearer ${jwt}`))).code === 'UNAUTHENTICATED';

test('a revocation by a patch of the status is known at the server, and revokes that token alone', async () => {
  const jwts = await many(await batchedClient(), 8);
  const [revoked, ...others] = jwts;
  if (!revoked) throw new Error('no token');
  const blacklisted = { [positionOf(idOf(revoked))]: '2026-01-31T12:00:00Z' };
  bodyOf(
    await installation.api.patch(
      refOf(revoked),
      'merge',
      { status: { blacklisted } },
      { subresource: 'status' },
    ),
  );
  await eventually(() => isRefused(revoked), { timeoutMs: 10_000, intervalMs: 5 });
  for (const jwt of others) expect((await grpc.getTokens(`Bearer ${jwt}`)).length).toBe(7);
});

test('DeleteTokens writes once a batch, also while others revoke records of it', async () => {
  const client = await batchedClient();
  const bearer = `Bearer ${await create(client)}`;
  const jwts = await many(client, 40);
  const ids = jwts.map(idOf);
  const objects = new Set(ids.map(batchNameOf)).size;
  const updates = () => operator.sum('m2moauth_api_requests_total', 'verb="update",code="200"');
  const before = await updates();
  expect(await grpc.deleteTokens(bearer, ids)).toEqual({ blacklistedCount: 40n, deletedCount: 0n });
  // The lease is renewed meanwhile.
  expect((await updates()) - before).toBeLessThanOrEqual(objects + 3);
  const again = await many(client, 24);
  const counts = await Promise.all(again.map((jwt) => grpc.deleteTokens(bearer, [idOf(jwt), idOf(jwt)])));
  expect(counts.map(({ blacklistedCount }) => blacklistedCount)).toEqual(again.map(() => 1n));
  for (const jwt of [...jwts, ...again]) expect(await isRefused(jwt)).toBe(true);
});

test('a batch is collected when its last record is past its time, those that were deleted before aside', async () => {
  const client = await batchedClient();
  const bearer = `Bearer ${await create(client)}`;
  const defer = Math.floor(Date.now() / 1000) + 3;
  const jwts = await many(client, 6, defer);
  const [first] = jwts;
  if (!first) throw new Error('no token');
  await eventually(async () => (await isRefused(first)) || false, { timeoutMs: 10_000 });
  const { deletedCount } = await grpc.deleteTokens(bearer, [idOf(first)]);
  expect(deletedCount).toBeLessThanOrEqual(1n);
  for (const jwt of jwts) await isGone(jwt);
  await eventually(async () =>
    expect(await operator.sum('m2moauth_issued_tokens_collected_total', 'why="Expired"')).toBeGreaterThan(0),
  );
}, 60_000);

test('a client that goes takes its batches along, and one of a compromised key is blacklisted whole', async () => {
  const { api } = installation;
  const [going, staying] = [await batchedClient(), await batchedClient()];
  const orphan = await create(going);
  bodyOf(await api.delete(oauthClient(going.name, namespace, {})));
  await isGone(orphan);
  const jwts = await many(staying, 5);
  const [signed] = jwts;
  if (!signed) throw new Error('no token');
  const { spec } = await batchOf(signed);
  bodyOf(await api.patch(signingKey(), 'merge', { spec: { compromised: [spec.profiles[0].keyID] } }));
  await eventually(
    async () => {
      for (const jwt of jwts) {
        const { status } = await batchOf(jwt);
        expect(Object.keys(status?.blacklisted ?? {})).toContain(String(positionOf(idOf(jwt))));
      }
    },
    { timeoutMs: 30_000 },
  );
  for (const jwt of jwts) expect(await isRefused(jwt)).toBe(true);
  expect(await operator.sum('m2moauth_api_requests_total', 'code="403"')).toBe(0);
  expect(operator.log.filter(({ level }) => level === 'error' || level === 'stderr')).toEqual([]);
}, 120_000);
