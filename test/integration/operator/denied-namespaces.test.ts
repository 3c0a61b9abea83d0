import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect } from '../../support/any-cluster.ts';
import { bodyOf, namespaceOf, type Ref } from '../../support/api.ts';
import { applyObjects, readObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import {
  type Installation,
  install,
  oauthClient,
  SYSTEM,
  token,
  waitForReason,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { createOwnerBearer, createToken, idOf, makeClient } from '../servers/oauth-clients.ts';

/** `kubernetes.watchNamespaces` with a Role in each, as the chart installs it; one of them goes, and comes back. */

const RBAC = join(import.meta.dirname, '../../../operator/deploy/rbac.yaml');
const ACCOUNT = 'denied-namespaces';
const CLUSTER_WIDE = ['tokenreviews', 'namespaces', 'customresourcedefinitions'];
const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' };
const subjects = [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: SYSTEM }];

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

let installation: Installation;
let proxy: TcpProxy;
let kubeconfigPath: string;
let rules: {
  readonly cluster: readonly Rule[];
  readonly watched: readonly Rule[];
  readonly own: readonly Rule[];
};
let kept: string;
let lost: string;
let operator: OperatorProcess;
let calls: GrpcClient;

const bound = (kind: 'ClusterRole' | 'Role', granted: readonly Rule[], namespace?: string): Ref[] => {
  const metadata = { name: ACCOUNT, ...(namespace !== undefined && { namespace }) };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: ACCOUNT };
  return [
    { ...rbac, kind, metadata, rules: granted },
    { ...rbac, kind: `${kind}Binding`, metadata, roleRef, subjects },
  ];
};

/** The Role that the chart has in each watched namespace. */
const bindIn = (namespace: string) =>
  applyObjects(installation.api, bound('Role', rules.watched, namespace), { namespace });

const rulesOf = (objects: readonly Ref[], kind: string): readonly Rule[] =>
  objects.find((object) => object.kind === kind)?.rules as readonly Rule[];

const start = async (watchNamespaces: readonly string[]): Promise<OperatorProcess> =>
  installation.operator({
    kubeconfigPath,
    config: { kubernetes: { namespace: SYSTEM, watchNamespaces }, leaderElection: { enabled: false } },
  });

const denied = (namespace: string): Promise<number> =>
  operator.metric(`m2moauth_denied_namespaces{watched_namespace="${namespace}"}`);
const waitUntilDenied = (namespace: string, expected: 0 | 1) =>
  eventually(async () => expect(await denied(namespace)).toBe(expected));

const codeOf = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'OK',
    async () => (await rejectionOf(call)).code,
  );
const validate = (jwt: string): Promise<string> =>
  codeOf(calls.getTokens(`Bearer ${jwt}`, { idFilter: [idOf(jwt)] }));

const expectServed = async (namespace: string, name: string): Promise<void> => {
  const { api } = installation;
  bodyOf(await api.create(token(name, namespace, { clientRef: { name: 'local' } })));
  await waitForReason(api, token(name, namespace), 'Issued');
};
const makeLocalClient = async (namespace: string) =>
  bodyOf(await installation.api.apply(oauthClient('local', namespace, { clientID: `local-${namespace}` })));

const deleteNamespace = async (name: string): Promise<void> => {
  bodyOf(await installation.api.delete(namespaceOf(name)));
  await eventually(async () => (await installation.api.get(namespaceOf(name))).status === 404);
};

beforeAll(async () => {
  installation = await install();
  const { api, cluster } = installation;
  const objects = await readObjects([RBAC]);
  const granted = rulesOf(objects, 'ClusterRole');
  const isClusterWide = ({ resources }: Rule): boolean => CLUSTER_WIDE.includes(resources[0] ?? '');
  rules = {
    cluster: granted.filter(isClusterWide),
    watched: granted.filter((rule) => !isClusterWide(rule)),
    own: rulesOf(objects, 'Role'),
  };
  const secrets = rules.watched.filter(({ resources }) => /^(?:secrets|events)$/u.test(resources[0] ?? ''));
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: ACCOUNT, namespace: SYSTEM },
  };
  await applyObjects(
    api,
    [account, ...bound('ClusterRole', rules.cluster), ...bound('Role', [...rules.own, ...secrets], SYSTEM)],
    { namespace: SYSTEM },
  );
  proxy = await startTcpProxy(cluster.url);
  const admin = connect(cluster.kubeconfigPath);
  const kubeconfig = await admin.kubeconfigOf({ namespace: SYSTEM, name: ACCOUNT }, 1);
  await admin.close();
  kubeconfigPath = join(installation.kubeconfigPath, '..', 'denied.kubeconfig');
  await writeFile(kubeconfigPath, kubeconfig.replaceAll(cluster.url, proxy.url), { mode: 0o600 });
  expect(await readFile(kubeconfigPath, 'utf8')).toContain(proxy.url);
  kept = await api.createNamespace('kept');
  lost = await api.createNamespace('lost');
  for (const namespace of [kept, lost]) {
    await bindIn(namespace);
    await makeLocalClient(namespace);
  }
  operator = await start([kept, lost]);
  await operator.ready();
  calls = await connectGrpc(operator);
}, 900_000);

afterAll(async () => {
  calls?.close();
  await proxy?.close();
  await installation?.close();
});

test('a watched namespace that is deleted leaves the others served, and comes back by itself', async () => {
  const mine = await createOwnerBearer(calls, await makeClient(installation, kept));
  const theirs = await createToken(calls, await makeClient(installation, lost));
  await expectServed(lost, 'before');
  await deleteNamespace(lost);
  // A watch that goes on is not asked again whether it may.
  proxy.cut();
  await waitUntilDenied(lost, 1);
  await operator.ready();
  await expectServed(kept, 'meanwhile');
  // Each type of resource learns it by itself.
  await eventually(async () => expect(await validate(theirs)).toBe('UNAUTHENTICATED'));
  expect(await validate(mine)).toBe('OK');
  // All tokens of an owner: nothing can be in a namespace that is gone.
  await eventually(async () => expect(await codeOf(calls.deleteTokens(`Bearer ${mine}`, []))).toBe('OK'));
  expect(await operator.metric(`m2moauth_denied_namespaces{watched_namespace="${kept}"}`)).toBe(0);
  const warnings = operator.log.filter(({ level, namespace }) => level === 'warn' && namespace === lost);
  expect(warnings.map(({ why }) => why)).toEqual([expect.stringContaining('it does not exist')]);

  bodyOf(await installation.api.create(namespaceOf(lost)));
  await bindIn(lost);
  await makeLocalClient(lost);
  await waitUntilDenied(lost, 0);
  await expectServed(lost, 'again');
  await operator.ready();
});

test('of one whose Role was removed nothing is called valid, and nothing is called unknown', async () => {
  const mine = await createOwnerBearer(calls, await makeClient(installation, kept));
  const theirs = await createToken(calls, await makeClient(installation, lost));
  expect([await validate(mine), await validate(theirs)]).toEqual(['OK', 'OK']);
  bodyOf(
    await installation.api.delete({
      ...rbac,
      kind: 'RoleBinding',
      metadata: { name: ACCOUNT, namespace: lost },
    }),
  );
  proxy.cut();
  await waitUntilDenied(lost, 1);
  await operator.ready();
  await eventually(async () => expect(await validate(theirs)).toBe('UNAVAILABLE'));
  expect(await validate(mine)).toBe('OK');
  // All tokens of an owner can't be known: some may be in the namespace that can't be read.
  expect(await codeOf(calls.getTokens(`Bearer ${mine}`))).toBe('UNAVAILABLE');
  expect(await codeOf(calls.deleteTokens(`Bearer ${mine}`, []))).toBe('UNAVAILABLE');
  await expectServed(kept, 'without-the-other');
  await bindIn(lost);
  await waitUntilDenied(lost, 0);
  await eventually(async () => expect(await validate(theirs)).toBe('OK'));
});

test('a replica is ready at its start without a namespace that does not exist', async () => {
  const missing = 'not-there-yet';
  const other = await start([kept, missing]);
  await other.ready();
  expect(await other.metric(`m2moauth_denied_namespaces{watched_namespace="${missing}"}`)).toBe(1);
  await other.stop();
});

test('a replica without any watched namespace is not ready, and is when one appears', async () => {
  const late = `late-${kept}`;
  const other = await start([late]);
  await eventually(async () =>
    expect(await other.metric(`m2moauth_denied_namespaces{watched_namespace="${late}"}`)).toBe(1),
  );
  expect((await fetch(`${other.opsUrl}/readyz`)).status).toBe(503);
  expect((await fetch(`${other.opsUrl}/healthz`)).status).toBe(200);
  bodyOf(await installation.api.create(namespaceOf(late)));
  await bindIn(late);
  await other.ready();
  await other.stop();
  bodyOf(await installation.api.delete(namespaceOf(late)));
});
