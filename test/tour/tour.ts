import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { ensureBinaries } from '../cluster/binaries.ts';
import { binarySets } from '../cluster/binary-sources.ts';
import { startCluster } from '../cluster/cluster.ts';
import { type AnyCluster, connect } from '../support/any-cluster.ts';
import type { KubeObject } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type OperatorProcess, startOperator } from '../support/operator-process.ts';

/** `make run`: starts a control plane and the operator, shows a Token from apply to verified claims, and prints commands to try. */

const ROOT = join(import.meta.dirname, '../..');
const ISSUER = 'https://localhost:9101/m2m-oauth-server';
const ACCOUNT = { namespace: 'm2m-oauth-system', name: 'm2m-oauth-operator' };

const say = (text: string): void => console.log(text);
const step = (text: string): void => say(`\n▸ ${text}`);
const indent = (value: unknown): string => JSON.stringify(value, null, 2).replaceAll(/^/gmu, '    ');

interface Session {
  readonly kubeconfigPath: string;
  readonly embedded: boolean;
  close(): Promise<void>;
}

const openCluster = async (): Promise<Session> => {
  if (process.env.CLUSTER === 'current') {
    const kubeconfigPath = process.env.KUBECONFIG ?? join(homedir(), '.kube/config');
    step(`Using the current context of ${kubeconfigPath}`);
    return { kubeconfigPath, embedded: false, close: async () => undefined };
  }
  step(
    'Starting an embedded control plane (the first start downloads or builds it, which takes some minutes)',
  );
  await ensureBinaries(binarySets.run);
  const cluster = await startCluster();
  say(`  ${cluster.url}`);
  return { kubeconfigPath: cluster.kubeconfigPath, embedded: true, close: () => cluster.stop() };
};

const startProduct = async (cluster: AnyCluster, session: Session, dir: string): Promise<OperatorProcess> => {
  step('Applying the CRDs and the ServiceAccount of the operator with its permissions');
  await cluster.apply(join(ROOT, 'crds'));
  await cluster.apply(join(ROOT, 'operator/deploy'));
  step('Building the operator and starting it as that ServiceAccount');
  await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: ROOT });
  const kubeconfigPath = join(dir, 'operator.kubeconfig');
  await writeFile(kubeconfigPath, await cluster.kubeconfigOf(ACCOUNT, 24), { mode: 0o600 });
  const operator = await startOperator({
    kubeconfigPath,
    config: { issuer: { url: ISSUER }, ...(session.embedded ? {} : { leaderElection: { enabled: true } }) },
    onLog: (line) => {
      if (line.level === 'error' || line.level === 'stderr') say(`  operator: ${JSON.stringify(line)}`);
    },
  });
  await operator.ready();
  say(`  ready; metrics at ${operator.opsUrl}/metrics`);
  return operator;
};

const applySample = async (cluster: AnyCluster): Promise<KubeObject> => {
  step('kubectl apply -f crds/samples/quickstart.yaml');
  const applied = await cluster.apply(join(ROOT, 'crds/samples/quickstart.yaml'));
  for (const { kind, metadata } of applied) say(`  ${kind} ${metadata.namespace ?? ''}/${metadata.name}`);
  const sample = applied.find(({ kind }) => kind === 'Token');
  if (sample === undefined) throw new Error('the sample has no Token');
  step('kubectl wait --for=condition=Ready m2mtoken');
  return eventually(
    async () => {
      const token = await cluster.get(sample);
      const ready = token.status?.conditions?.find(
        (condition: { type: string }) => condition.type === 'Ready',
      );
      if (ready?.status !== 'True')
        throw new Error(`${ready?.reason ?? 'no condition'}: ${ready?.message ?? ''}`);
      return token;
    },
    { timeoutMs: 60_000 },
  );
};

const verify = async (cluster: AnyCluster, token: KubeObject): Promise<void> => {
  const namespace = token.metadata?.namespace ?? 'default';
  const secretName = token.status.secretRef.name as string;
  const key = (token.spec.secret?.key as string | undefined) ?? 'token';
  step(`Header of the JWT in the Secret ${namespace}/${secretName} (key ${key})`);
  const secret = await cluster.get({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName, namespace },
  });
  const jwt = Buffer.from(secret.data[key], 'base64').toString('utf8');
  say(indent(decodeProtectedHeader(jwt)));
  step('Its claims, verified with jose and the published JWKS (ConfigMap default-jwks)');
  const published = await cluster.get({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'default-jwks', namespace: ACCOUNT.namespace },
  });
  const jwks = createLocalJWKSet(JSON.parse(published.data['jwks.json']));
  const { payload } = await jwtVerify(jwt, jwks, { issuer: ISSUER });
  if (payload.jti !== token.status.id) throw new Error('the JWT does not have the jti in the status');
  say(indent(payload));
};

const showToken = (token: KubeObject): void => {
  const { id, owner, clientID, scope, audience, expiration, renewalTime } = token.status;
  step(`Token ${token.metadata?.namespace}/${token.metadata?.name} is Ready`);
  say(indent({ id, owner, clientID, scope, audience, expiration, renewalTime }));
};

const showNext = (session: Session, token: KubeObject): void => {
  const of = `-n ${token.metadata?.namespace} ${token.metadata?.name}`;
  step('Commands to try in another terminal');
  say(`  export KUBECONFIG=${session.kubeconfigPath}`);
  say(`  kubectl get m2mtoken -A -o wide`);
  say(`  kubectl annotate m2mtoken ${of} m2moauth.dev/renew="$(date +%s)" --overwrite   # a new JWT now`);
  say(
    `  kubectl delete secret -n ${token.metadata?.namespace} ${token.status.secretRef.name}   # the operator restores it`,
  );
  say(`  kubectl patch m2mtoken ${of} --type merge -p '{"spec":{"revoked":true}}'   # revoked irreversibly`);
  say(`  kubectl explain m2mtoken.spec`);
};

const untilInterrupted = async (operator: OperatorProcess): Promise<void> => {
  step('Running; press Ctrl-C to stop and clean up');
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), operator.exited]);
};

const main = async (): Promise<void> => {
  const dir = await mkdtemp(join(tmpdir(), 'm2m-tour-'));
  const session = await openCluster();
  const cluster = connect(session.kubeconfigPath);
  let operator: OperatorProcess | undefined;
  try {
    operator = await startProduct(cluster, session, dir);
    const token = await applySample(cluster);
    showToken(token);
    await verify(cluster, token);
    showNext(session, token);
    if (process.env.ONCE !== '1') await untilInterrupted(operator);
  } finally {
    step('Stopping');
    await operator?.stop();
    await cluster.close();
    await session.close();
    await rm(dir, { recursive: true, force: true });
  }
};

await main();
say('done');
