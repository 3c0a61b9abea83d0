import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import { type Installation, install, token, waitForReason } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { createToken, idOf, makeClient, type TestClient } from './oauth-clients.ts';

/** etcd is put back to an earlier state under two replicas, as an administrator does who restores a backup. */

/** So long that the leader outlives the restart of the control plane. */
const LONG_LEASE = { leaderElection: { leaseDuration: '3m', renewDeadline: '2m', retryPeriod: '1s' } };
/** Spec §3: what a replica that is not in contact with the API server may go by its cache. */
const FRESH_MS = 10_000;

let installation: Installation;
let namespace: string;
let operators: readonly OperatorProcess[];
let replicas: readonly GrpcClient[];

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('restored');
  operators = [
    await installation.operator({ config: LONG_LEASE }),
    await installation.operator({ config: LONG_LEASE }),
  ];
  await Promise.all(operators.map((operator) => operator.ready()));
  replicas = await Promise.all(operators.map((operator) => connectGrpc(operator)));
}, 900_000);
afterAll(async () => {
  for (const calls of replicas ?? []) calls.close();
  await installation?.close();
});

const codeOf = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'OK',
    async () => (await rejectionOf(call)).code,
  );
const validate = (calls: GrpcClient, jwt: string): Promise<string> =>
  codeOf(calls.getTokens(`Bearer ${jwt}`, { idFilter: [idOf(jwt)] }));

/** Asks a replica about a JWT until the signal aborts; the times of the requests that were answered with OK. */
const ask = async (calls: GrpcClient, jwt: string, signal: AbortSignal): Promise<readonly number[]> => {
  const times: number[] = [];
  const isOver = async (): Promise<boolean> => {
    const startedAt = performance.now();
    if ((await validate(calls, jwt)) === 'OK') times.push(startedAt);
    return signal.aborted;
  };
  await eventually(isOver, { timeoutMs: 110_000, intervalMs: 50 });
  return times;
};

test.each([
  ['lower', false],
  ['raised', true],
])(
  'with %s revisions nothing that is gone is valid after 10 s, and everything else goes on',
  async (how, isRaised) => {
    const { api, cluster } = installation;
    const [first, second] = replicas;
    if (!first || !second) throw new Error('two replicas are needed');
    const client = await makeClient(installation, namespace);
    const kept = await createToken(first, client);
    const backup = await cluster.backUp();
    const lateClient: TestClient = await eventually(() => makeClient(installation, namespace), {
      timeoutMs: 60_000,
    });
    const lost = await eventually(() => createToken(second, client));
    const ofLateClient = await createToken(first, lateClient);
    bodyOf(await api.create(token(`late-${how}`, namespace)));
    await waitForReason(api, token(`late-${how}`, namespace), 'Issued');
    for (const calls of replicas) {
      for (const jwt of [kept, lost, ofLateClient]) {
        await eventually(async () => expect(await validate(calls, jwt)).toBe('OK'));
      }
    }
    await cluster.advance(2_000);

    const asking = new AbortController();
    const asked = replicas.flatMap((calls) =>
      [lost, ofLateClient].map((jwt) => ask(calls, jwt, asking.signal)),
    );
    await cluster.kill('apiserver');
    const goneAt = performance.now();
    await cluster.restore(backup, { isRaised });
    for (const calls of replicas) {
      await eventually(async () => {
        expect(await validate(calls, kept)).toBe('OK');
        expect(await validate(calls, lost)).toBe('UNAUTHENTICATED');
        expect(await validate(calls, ofLateClient)).toBe('UNAUTHENTICATED');
        expect(await codeOf(createToken(calls, client))).toBe('OK');
        expect(await codeOf(createToken(calls, lateClient))).toBe('UNAUTHENTICATED');
      });
    }
    await Promise.all(operators.map((operator) => operator.ready()));
    asking.abort();
    const late = (await Promise.all(asked)).flat().filter((at) => at > goneAt + FRESH_MS);
    expect(late).toEqual([]);
    // The leader goes on too.
    bodyOf(await api.create(token(`after-${how}`, namespace)));
    await waitForReason(api, token(`after-${how}`, namespace), 'Issued');
  },
);
