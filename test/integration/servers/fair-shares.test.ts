import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import { type Installation, install } from '../../support/installation.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { createOwnerBearer, createToken, idOf, makeClient, type TestClient } from './oauth-clients.ts';

/**
 * One client floods a replica, and another one calls it: over a socket, by the compiled operator and a real API server. The API server's
 * answers are held back until the replica has all calls, so that what counts is the order of answers, and no time.
 */

const FLOOD = 200;

let installation: Installation;
let proxy: TcpProxy;
/** A replica that is connected to the API server directly, and one by the proxy. */
let direct: GrpcClient;
let proxied: GrpcClient;
let flooding: TestClient;
let other: TestClient;

beforeAll(async () => {
  installation = await install();
  const namespace = await installation.api.createNamespace('fair-shares');
  proxy = await startTcpProxy(installation.cluster.url);
  const kubeconfigPath = join(installation.kubeconfigPath, '..', 'proxied.kubeconfig');
  const kubeconfig = await readFile(installation.kubeconfigPath, 'utf8');
  await writeFile(kubeconfigPath, kubeconfig.replaceAll(installation.cluster.url, proxy.url), {
    mode: 0o600,
  });
  const leader = await installation.operator();
  await leader.ready();
  await eventually(async () => (await leader.metric('m2moauth_leader')) === 1, { timeoutMs: 60_000 });
  const follower = await installation.operator({ kubeconfigPath });
  await follower.ready();
  [direct, proxied] = await Promise.all([connectGrpc(leader), connectGrpc(follower)]);
  flooding = await makeClient(installation, namespace);
  other = await makeClient(installation, namespace);
  // Their secrets are read, and are fresh for a while.
  await Promise.all([flooding, other].map((client) => createToken(proxied, client)));
}, 900_000);

afterAll(async () => {
  for (const grpc of [direct, proxied]) grpc?.close();
  await installation?.close();
  await proxy?.close();
});

/** The replica has everything that was sent to it before: this call on the same connection is answered at once. */
const everythingHasArrived = async (): Promise<void> => {
  const refused = createToken(proxied, flooding, { grantType: 'none' });
  expect((await rejectionOf(refused)).reason).toBe('unsupported_grant_type');
};

const ignored = (call: Promise<unknown>): Promise<void> =>
  call.then(
    () => undefined,
    () => undefined,
  );

test('a token is recorded in the turn of its client, before those that another client asked for earlier', async () => {
  proxy.stall();
  let answered = 0;
  const count = (): void => {
    answered += 1;
  };
  const flood = Array.from({ length: FLOOD }, () => createToken(proxied, flooding).then(count));
  await everythingHasArrived();
  const call = createToken(proxied, other).then(() => answered);
  await everythingHasArrived();
  proxy.resume();
  // At most 32 of the flood are on their way, and each that is answered makes room for another one.
  expect(await call).toBeLessThan(FLOOD / 2);
  await Promise.all(flood);
  expect(answered).toBe(FLOOD);
}, 60_000);

test('a token that is new to a replica is validated while filters of unknown ids are as many as can wait', async () => {
  const bearer = await createOwnerBearer(proxied, flooding);
  proxy.stall();
  const fresh = await createOwnerBearer(direct, other);
  const unknown = idOf(fresh).slice(0, -6);
  const flood = Array.from({ length: 40 }, (_, call) => {
    const idFilter = Array.from({ length: 64 }, (_, at) => unknown + String(call * 64 + at).padStart(6, '0'));
    return ignored(proxied.getTokens(`Bearer ${bearer}`, { idFilter }));
  });
  await everythingHasArrived();
  const found = proxied.getTokens(`Bearer ${fresh}`, { idFilter: [idOf(fresh)] });
  // If it is rejected, that is before the API server answers.
  await ignored(Promise.race([found, everythingHasArrived()]));
  proxy.resume();
  expect((await found).map(({ id }) => id)).toEqual([idOf(fresh)]);
  await Promise.all(flood);
}, 60_000);
