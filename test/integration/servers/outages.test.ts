import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import { type Installation, install } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { createToken, idOf, makeClient } from './oauth-clients.ts';

/** What servers say while the API server can't be asked, or does not want another record. */

/** An outage has to be longer to end the leader: a busy machine takes its time to start kube-apiserver again. */
const LONG_LEASE = { leaderElection: { leaseDuration: '3m', renewDeadline: '2m', retryPeriod: '1s' } };

let installation: Installation;
let namespace: string;
let proxy: TcpProxy;
let operators: OperatorProcess[];
/** The second replica reaches the API server by a wire that tests cut. */
let replicas: readonly [GrpcClient, GrpcClient];

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('outages');
  proxy = await startTcpProxy(installation.cluster.url);
  const kubeconfigPath = join(installation.kubeconfigPath, '..', 'proxied.kubeconfig');
  const kubeconfig = await readFile(installation.kubeconfigPath, 'utf8');
  await writeFile(kubeconfigPath, kubeconfig.replaceAll(installation.cluster.url, proxy.url), {
    mode: 0o600,
  });
  const leader = await installation.operator({ config: LONG_LEASE });
  await leader.ready();
  // A leader that is cut off exits, and serves no one.
  await eventually(async () => (await leader.metric('m2moauth_leader')) === 1, { timeoutMs: 60_000 });
  const follower = await installation.operator({ kubeconfigPath });
  await follower.ready();
  operators = [leader, follower];
  const [first, second] = await Promise.all(operators.map((operator) => connectGrpc(operator)));
  if (!first || !second) throw new Error('two replicas are needed');
  replicas = [first, second];
}, 900_000);

afterAll(async () => {
  for (const grpc of replicas ?? []) grpc.close();
  await installation?.close();
  await proxy?.close();
});

const bearer = (jwt: string): string => `Bearer ${jwt}`;
const answerOf = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'OK',
    async () => (await rejectionOf(call)).code,
  );

test('a quota on records is RESOURCE_EXHAUSTED, with its reason', async () => {
  const crowded = await installation.api.createNamespace('crowded');
  const client = await makeClient(installation, crowded);
  bodyOf(
    await installation.api.create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'few', namespace: crowded },
      spec: { hard: { 'count/issuedtokens.m2moauth.dev': '1' } },
    }),
  );
  // It may take a moment until there is a key, and until the quota knows its usage.
  await eventually(
    async () =>
      expect(await rejectionOf(createToken(replicas[0], client))).toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
        message: expect.stringMatching(/^cannot create token: a quota /u),
      }),
    { timeoutMs: 60_000 },
  );
}, 90_000);

test('a replica that is cut off accepts no token after 10 s, whatever its caches hold', async () => {
  const [first, second] = replicas;
  const client = await makeClient(installation, namespace);
  const [jwt, revoked] = [await createToken(second, client), await createToken(second, client)];
  await second.deleteTokens(bearer(revoked), [idOf(revoked)]);
  proxy.stall();
  const cutAt = performance.now();
  try {
    // Revoked elsewhere, where it can't know.
    await first.deleteTokens(bearer(jwt), [idOf(jwt)]);
    expect(await answerOf(first.getTokens(bearer(jwt)))).toBe('UNAUTHENTICATED');
    const answers = new Set<string>();
    await eventually(
      async () => {
        const answer = await answerOf(second.getTokens(bearer(jwt)));
        answers.add(answer);
        return answer === 'UNAVAILABLE';
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    );
    // The bound and a live read that runs into its deadline.
    expect(performance.now() - cutAt).toBeLessThan(20_000);
    expect([...answers].filter((answer) => !['OK', 'UNAVAILABLE'].includes(answer))).toEqual([]);
    expect(await answerOf(second.getTokens(bearer(jwt)))).toBe('UNAVAILABLE');
    expect(await answerOf(createToken(second, client))).toBe('UNAVAILABLE');
    // A token that it revoked itself it rejects without the API server.
    expect(await answerOf(second.getTokens(bearer(revoked)))).toBe('UNAUTHENTICATED');
  } finally {
    proxy.resume();
  }
  await eventually(async () => (await answerOf(second.getTokens(bearer(jwt)))) === 'UNAUTHENTICATED', {
    timeoutMs: 60_000,
    intervalMs: 100,
  });
  await eventually(async () => (await answerOf(createToken(second, client))) === 'OK', { timeoutMs: 60_000 });
}, 180_000);

test('with no API server nothing is issued or revoked, and all is well when it is back', async () => {
  const [grpc] = replicas;
  const client = await makeClient(installation, namespace);
  const jwt = await createToken(grpc, client);
  await installation.cluster.kill('apiserver');
  try {
    expect(await answerOf(createToken(grpc, client))).toBe('UNAVAILABLE');
    expect(await answerOf(grpc.deleteTokens(bearer(jwt), [idOf(jwt)]))).toBe('UNAVAILABLE');
  } finally {
    await installation.cluster.start('apiserver');
  }
  await eventually(async () => (await answerOf(createToken(grpc, client))) === 'OK', { timeoutMs: 60_000 });
  expect(await grpc.getTokens(bearer(jwt), { idFilter: [idOf(jwt)] })).toHaveLength(1);
  expect(await grpc.deleteTokens(bearer(jwt), [idOf(jwt)])).toEqual({
    blacklistedCount: 1n,
    deletedCount: 0n,
  });
}, 180_000);

test('no secret and no JWT is in any line of the log', async () => {
  const client = await makeClient(installation, namespace);
  const jwt = await createToken(replicas[0], client);
  await replicas[0].getTokens(bearer(jwt));
  await answerOf(replicas[0].createToken({ clientId: client.id, clientSecret: `${client.secret}x` }));
  await answerOf(replicas[0].getTokens(`Basic ${client.secret}`));
  const logged = (): string => JSON.stringify(operators.map(({ log }) => log));
  await eventually(() => expect(logged()).toContain(idOf(jwt)));
  const text = logged();
  expect(text).not.toContain(client.secret);
  expect(text).not.toMatch(/eyJ[\w-]{10,}\.[\w-]{10,}/u);
});
