import { randomInt } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { bodyOf, type KubeObject } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import {
  claimsIn,
  conditionOf,
  type Installation,
  install,
  token,
  waitForReason,
} from '../support/installation.ts';
import { issuedTwice } from '../support/jwt-ledger.ts';
import { type Observer, observe } from '../support/observer.ts';
import type { OperatorProcess } from '../support/operator-process.ts';

/** `kill -9` of anything at any moment: every Token gets to the state its spec asks for. */

const PATIENCE = 90_000;
const FAST_LEASE = { leaderElection: { leaseDuration: '3s', renewDeadline: '2s', retryPeriod: '200ms' } };

let installation: Installation;
let namespace: string;
let secrets: Observer;

beforeAll(async () => {
  installation = await install();
}, 600_000);
afterAll(() => installation?.close());

const begin = async (): Promise<void> => {
  namespace = await installation.api.createNamespace('faults');
  secrets = await observe(installation.cluster.kubeconfigPath, {
    apiVersion: 'v1',
    kind: 'Secret',
    namespace,
  });
};
afterEach(async () => {
  await secrets?.stop();
});

const create = (name: string, spec: object = {}) =>
  eventually(
    async () => {
      const { status } = await installation.api.create(token(name, namespace, spec));
      if (status !== 201 && status !== 409) throw new Error(`create: ${status}`);
    },
    { timeoutMs: PATIENCE },
  );

const createMany = async (prefix: string, count: number): Promise<void> => {
  for (let at = 0; at < count; at += 1) await create(`${prefix}-${at}`);
};

const listTokens = async (): Promise<readonly KubeObject[]> =>
  bodyOf(await installation.api.list(token('', namespace))).items;

/** Every Token is Ready, its Secret holds the JWT that the status names, and no number was issued twice. */
const expectAllWell = async (count: number): Promise<void> => {
  await eventually(
    async () => {
      const tokens = await listTokens();
      const waiting = tokens.filter((object) => conditionOf(object)?.status !== 'True');
      if (tokens.length !== count || waiting.length > 0) {
        throw new Error(`${tokens.length} of ${count} Tokens, ${waiting.length} not Ready`);
      }
    },
    { timeoutMs: PATIENCE, intervalMs: 100 },
  );
  const { items } = bodyOf(
    await installation.api.list({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace } }),
  );
  const held = new Map(items.map((secret) => [secret.metadata.name, claimsIn(secret).jti]));
  for (const { metadata, status } of await listTokens()) expect(held.get(metadata.name)).toBe(status.id);
  expect(issuedTwice(secrets)).toEqual([]);
};

const leaderOf = (replicas: readonly OperatorProcess[]): Promise<OperatorProcess> =>
  eventually(
    async () => {
      for (const replica of replicas) if ((await replica.metric('m2moauth_leader')) === 1) return replica;
      return false;
    },
    { timeoutMs: PATIENCE },
  ) as Promise<OperatorProcess>;

test('the operator, killed five times while it issues', async () => {
  await begin();
  const creating = createMany('killed', 150);
  for (let round = 0; round < 5; round += 1) {
    const operator = await installation.operator({ config: FAST_LEASE });
    await leaderOf([operator]);
    const issued = randomInt(1, 25);
    await eventually(
      async () => (await operator.sum('m2moauth_tokens_issued_total')) >= Math.min(issued, 5),
      {
        timeoutMs: PATIENCE,
        intervalMs: 2,
      },
    );
    await operator.kill();
  }
  const last = await installation.operator({ config: FAST_LEASE });
  await creating;
  await expectAllWell(150);
  await last.stop();
}, 300_000);

test('the leader of three replicas, killed while it issues', async () => {
  await begin();
  const replicas = await Promise.all([0, 1, 2].map(() => installation.operator({ config: FAST_LEASE })));
  const creating = createMany('leader', 100);
  const leader = await leaderOf(replicas);
  await eventually(async () => (await leader.sum('m2moauth_tokens_issued_total')) > 0, {
    timeoutMs: PATIENCE,
    intervalMs: 2,
  });
  await leader.kill();
  await creating;
  await expectAllWell(100);
  await Promise.all(replicas.filter((replica) => replica !== leader).map((replica) => replica.stop()));
}, 300_000);

test.each([['apiserver'], ['etcd']] as const)(
  '%s, killed while the operator issues',
  async (part) => {
    await begin();
    const operator = await installation.operator();
    await leaderOf([operator]);
    const creating = createMany(part, 100);
    await eventually(async () => (await operator.sum('m2moauth_tokens_issued_total')) > 0, {
      timeoutMs: PATIENCE,
      intervalMs: 2,
    });
    await installation.cluster.kill(part);
    await installation.cluster.start(part);
    await creating;
    // An outage longer than the lease ends the leader; something restarts it, as kubelet would.
    const gone = await Promise.race([operator.exited.then(() => true), expectAllWell(100).then(() => false)]);
    const last = gone ? await installation.operator() : operator;
    await expectAllWell(100);
    await last.stop();
  },
  300_000,
);

test('nothing blacklisted comes back', async () => {
  await begin();
  const operator = await installation.operator({ config: FAST_LEASE });
  await create('revoked');
  await create('patched');
  await waitForReason(installation.api, token('revoked', namespace), 'Issued', PATIENCE);
  await waitForReason(installation.api, token('patched', namespace), 'Issued', PATIENCE);
  await operator.kill();
  bodyOf(await installation.api.patch(token('revoked', namespace), 'merge', { spec: { revoked: true } }));
  bodyOf(
    await installation.api.patch(
      token('patched', namespace),
      'merge',
      { status: { blacklisted: { flag: true, timestamp: '2026-01-01T00:00:00Z' } } },
      { subresource: 'status' },
    ),
  );
  await installation.cluster.kill('apiserver');
  await installation.cluster.start('apiserver');
  const next = await installation.operator({ config: FAST_LEASE });
  for (const name of ['revoked', 'patched']) {
    await waitForReason(installation.api, token(name, namespace), 'Blacklisted', PATIENCE);
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace } };
    await eventually(async () => (await installation.api.get(secret)).status === 404, {
      timeoutMs: PATIENCE,
    });
  }
  await next.stop();
}, 300_000);
