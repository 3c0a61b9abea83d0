import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bodyOf, type KubeObject } from '../../support/api.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import {
  GROUP_VERSION,
  type Installation,
  install,
  token,
  waitForReason,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { createOwnerBearer, createToken, idOf, makeClient, type TestClient } from './oauth-clients.ts';

/** A process that is told of a memory limit which it exceeds as soon as it runs, beside one without a limit. */

const MIB = 1024 * 1024;
const LIMITED = { NODE_OPTIONS: `--import "data:text/javascript,process.constrainedMemory=()=>${16 * MIB}"` };

let installation: Installation;
let namespace: string;
let limited: OperatorProcess;
let grpc: GrpcClient;
let unlimitedGrpc: GrpcClient;
let client: TestClient;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('memory');
  limited = await installation.operator({ env: LIMITED });
  await limited.ready();
  const unlimited = await installation.operator();
  await unlimited.ready();
  [grpc, unlimitedGrpc] = await Promise.all([connectGrpc(limited), connectGrpc(unlimited)]);
  client = await makeClient(installation, namespace);
}, 600_000);
afterAll(async () => {
  grpc?.close();
  unlimitedGrpc?.close();
  await installation?.close();
});

const records = async (): Promise<readonly KubeObject[]> =>
  bodyOf(
    await installation.api.list({ apiVersion: GROUP_VERSION, kind: 'IssuedToken', metadata: { namespace } }),
  ).items;

test('beyond the watermark no token is issued, says a metric, and everything else is served', async () => {
  const jwt = await createOwnerBearer(unlimitedGrpc, client);
  expect(await rejectionOf(createToken(grpc, client))).toEqual({
    code: 'UNAVAILABLE',
    message: 'cannot create token: this replica can not issue tokens now, try again later',
    retryAfterSeconds: 5,
  });
  expect(await records()).toHaveLength(1);
  expect(await limited.metric('m2moauth_memory_watermark_exceeded')).toBe(1);
  expect(await limited.sum('m2moauth_token_requests_rejected_total', 'why="MemoryWatermark"')).toBe(1);
  await limited.ready();
  // It leads, too.
  const declared = token('declared', namespace);
  bodyOf(await installation.api.create(declared));
  await waitForReason(installation.api, declared, 'Issued');
  expect(await grpc.getTokens(`Bearer ${jwt}`, { idFilter: [idOf(jwt)] })).toMatchObject([{ id: idOf(jwt) }]);
  expect(await grpc.deleteTokens(`Bearer ${jwt}`, [idOf(jwt)])).toEqual({
    blacklistedCount: 1n,
    deletedCount: 0n,
  });
}, 120_000);

test('a replica without a limit issues tokens', async () => {
  await createToken(unlimitedGrpc, client);
});
