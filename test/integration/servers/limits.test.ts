import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf, type KubeObject, type Ref } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { type GrpcClient, type Rejection, rejectionOf } from '../../support/grpc.ts';
import { conditionOf, GROUP_VERSION, SYSTEM } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { type Replicas, startReplicas } from './interleavings.ts';
import { createOwnerBearer, createToken, idOf, makeClient, type TestClient } from './oauth-clients.ts';

/** Limits of clients, on two replicas of the compiled operator with its own permissions. */

let replicas: Replicas;

beforeAll(async () => {
  replicas = await startReplicas();
}, 900_000);
afterAll(() => replicas?.close());

const leases = async (): Promise<KubeObject[]> => {
  const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace: SYSTEM } };
  const { items } = bodyOf(await replicas.installation.api.list(kind));
  return items.filter(({ metadata }: KubeObject) => metadata.labels?.['m2moauth.dev/replica']);
};
const clientRef = ({ name, namespace }: TestClient): Ref => ({
  apiVersion: GROUP_VERSION,
  kind: 'OAuthClient',
  metadata: { name, namespace },
});
const limitedClient = (limits: object, recording = 'PerToken'): Promise<TestClient> =>
  makeClient(replicas.installation, replicas.namespace, { spec: { limits, recording } });
const hasShare = (operators: readonly OperatorProcess[], share: number): Promise<void> =>
  eventually(
    async () => {
      const shares = await Promise.all(operators.map((operator) => operator.metric('m2moauth_rate_share')));
      expect(shares).toEqual(operators.map(() => share));
    },
    { timeoutMs: 30_000 },
  );

const rejectedAs = (error: unknown): Promise<Rejection> => rejectionOf(Promise.reject(error));

/** Requests tokens of both replicas without a pause until so many are issued; how long that took, and how the others were rejected. */
const flood = async (
  client: TestClient,
  count: number,
): Promise<{ issued: number; seconds: number; rejections: Rejection[] }> => {
  const startedAt = performance.now();
  const rejections: Rejection[] = [];
  let issued = 0;
  const request = async (grpc: GrpcClient): Promise<void> => {
    while (issued < count) {
      try {
        await createToken(grpc, client);
        issued += 1;
      } catch (error) {
        rejections.push(await rejectedAs(error));
      }
    }
  };
  await Promise.all(replicas.calls.flatMap((grpc) => [1, 2, 3, 4].map(() => request(grpc))));
  return { issued, seconds: (performance.now() - startedAt) / 1000, rejections };
};

test('without a limit there is no Lease of a replica', async () => {
  const client = await makeClient(replicas.installation, replicas.namespace);
  await createToken(replicas.calls[0], client);
  expect(await leases()).toEqual([]);
});

describe.each(['PerToken', 'Batched'])('with recording %s', (recording) => {
  test('a rate holds over both replicas', async () => {
    const client = await limitedClient({ tokensPerSecond: 10, burst: 20 }, recording);
    await hasShare(replicas.operators, 0.5);
    const { issued, seconds, rejections } = await flood(client, 40);
    expect(issued).toBeLessThanOrEqual(20 + 10 * seconds);
    expect(rejections[0]).toEqual({
      code: 'RESOURCE_EXHAUSTED',
      message: 'cannot create token: the client gets at most 10 token(s) per second, try again later',
      reason: 'temporarily_unavailable',
      retryAfterSeconds: 1,
    });
  }, 120_000);

  test('a number of active tokens holds on both replicas, and a revoked one makes room', async () => {
    const [first, second] = replicas.calls;
    const client = await limitedClient({ activeTokens: 2 }, recording);
    const bearer = await createOwnerBearer(first, client);
    const revoked = await createToken(first, client);
    const rejection = await rejectionOf(createToken(first, client));
    expect(rejection).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'temporarily_unavailable' });
    expect(rejection.message).toContain('the client has 2 active token(s)');
    // The other replica's watch has what the first one has recorded.
    await eventually(async () =>
      expect(await second.getTokens(`Bearer ${bearer}`, { idFilter: [] })).toHaveLength(2),
    );
    expect(await rejectionOf(createToken(second, client))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await first.deleteTokens(`Bearer ${bearer}`, [idOf(revoked)]);
    await createToken(first, client);
    expect(await rejectionOf(createToken(first, client))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  }, 120_000);
});

test('what is rejected on any replica is a condition of the client, written by the leader', async () => {
  const { api } = replicas.installation;
  const client = await limitedClient({ activeTokens: 1 });
  await createToken(replicas.calls[0], client);
  for (const grpc of replicas.calls) {
    await eventually(async () =>
      expect(await rejectionOf(createToken(grpc, client))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' }),
    );
  }
  const condition = await eventually(
    async () => conditionOf(bodyOf(await api.get(clientRef(client))), 'LimitReached') ?? false,
    { timeoutMs: 20_000 },
  );
  expect(condition).toMatchObject({
    status: 'True',
    reason: 'ActiveTokensExceeded',
    message: expect.stringMatching(/^requests for tokens rejected since .*: \d+ \(\d+ by activeTokens\)/u),
  });
}, 120_000);

test('a replica that joins, crashes or stops changes the share of the others', async () => {
  const { installation, operators } = replicas;
  await limitedClient({ tokensPerSecond: 1 });
  const third = await installation.operator();
  await hasShare([...operators, third], 1 / 3);
  expect(await leases()).toHaveLength(3);
  await third.kill();
  await hasShare(operators, 0.5);
  const fourth = await installation.operator();
  await hasShare([...operators, fourth], 1 / 3);
  await fourth.stop();
  await hasShare(operators, 0.5);
  for (const operator of operators)
    expect(await operator.sum('m2moauth_api_requests_total', 'code="403"')).toBe(0);
}, 180_000);
