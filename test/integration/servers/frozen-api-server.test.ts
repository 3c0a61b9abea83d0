import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import { type Installation, install } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { createToken, makeClient } from './oauth-clients.ts';

/** An API server that accepts connections and answers nothing, as where its machine swaps; without a Lease that would be lost. */

let installation: Installation;
let operator: OperatorProcess;
let calls: GrpcClient;

beforeAll(async () => {
  installation = await install();
  operator = await installation.operator({ config: { leaderElection: { enabled: false } } });
  await operator.ready();
  calls = await connectGrpc(operator);
}, 600_000);
afterAll(async () => {
  calls?.close();
  await installation?.close();
});

const statusOf = async (): Promise<number> => (await fetch(`${operator.opsUrl}/readyz`)).status;

test('a replica that can validate nothing is not ready, though nobody probed it before', async () => {
  const client = await makeClient(installation, await installation.api.createNamespace('frozen'));
  const bearer = `Bearer ${await createToken(calls, client)}`;
  const codeOf = async (): Promise<string> => {
    const call = calls.getTokens(bearer);
    return call.then(
      () => 'OK',
      async () => (await rejectionOf(call)).code,
    );
  };
  const { apiserver } = await installation.cluster.pids();
  if (apiserver === undefined) throw new Error('the API server does not run');
  const restarts = (): Promise<number> => operator.sum('m2moauth_watch_restarts_total');
  const before = await restarts();
  process.kill(apiserver, 'SIGSTOP');
  try {
    await eventually(async () => (await codeOf()) === 'UNAVAILABLE', { timeoutMs: 60_000 });
    // The connection was cut, so that nothing shows any more that it was pinged.
    await eventually(async () => (await restarts()) > before, { timeoutMs: 60_000 });
    expect(await statusOf()).toBe(503);
  } finally {
    process.kill(apiserver, 'SIGCONT');
  }
  await operator.ready();
  await eventually(async () => (await codeOf()) === 'OK');
});
