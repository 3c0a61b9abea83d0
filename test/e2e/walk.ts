import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { metricsDeclaredIn, metricsNamedIn } from '../support/named-metrics.ts';
import {
  callerTells,
  leaderPod,
  operatorPods,
  scrape,
  workerFigures,
  workerGoesOn,
} from './support/observations.ts';
import { RELEASE, ROOT, type Stage, SYSTEM } from './support/stage.ts';
import type { Walk } from './support/steps.ts';

const CHART = 'charts/m2m-oauth-operator';
const TEAM = 'team-a';
const IMAGE = ['--set', 'image.repository=docker.io/library/m2m-oauth-operator'];
const inTeam = (...args: string[]) => ['--namespace', TEAM, ...args];
const inSystem = (...args: string[]) => ['--namespace', SYSTEM, ...args];

const expect = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Error(otherwise);
};

const tokenID = ({ kubectl }: Stage): Promise<string> =>
  kubectl(...inTeam('get', 'm2mtoken', 'caller', '--output', 'jsonpath={.status.id}'));

/** helm install, with what helm prints at the end pasted into a shell, and helm test. */
export const install = async (walk: Walk, stage: Stage): Promise<void> => {
  const { helm, kubectl, bash } = stage;
  const notes = await walk.step('helm install --wait, under restricted Pod Security', async () => {
    await kubectl('create', 'namespace', SYSTEM);
    await kubectl('label', 'namespace', SYSTEM, 'pod-security.kubernetes.io/enforce=restricted');
    const flags = [...IMAGE, '--set', 'image.tag=e2e', '--wait', '--timeout', '3m'];
    return helm('install', RELEASE, CHART, ...inSystem(...flags));
  });
  await walk.step('what helm printed can be pasted into a shell', async () => {
    const [, script = ''] = notes.split('NOTES:\n');
    await bash(script.split('\n').slice(1).join('\n'));
  });
  await walk.step('helm test: both doors answer inside the cluster', () =>
    helm('test', RELEASE, ...inSystem('--timeout', '2m')),
  );
};

const scriptsManifest = async ({ kubectl }: Stage): Promise<string> => {
  const files = ['verifier', 'caller', 'grpc-caller'].map(
    (name) => `--from-file=${join(import.meta.dirname, 'scripts', `${name}.mjs`)}`,
  );
  return kubectl(
    ...inTeam('create', 'configmap', 'scripts', ...files, '--dry-run=client', '--output', 'yaml'),
  );
};

const authorityManifest = async ({ kubectl }: Stage): Promise<string> => {
  const encoded = await kubectl(
    ...inSystem('get', 'secret', `${RELEASE}-tls`, '--output', String.raw`jsonpath={.data.ca\.crt}`),
  );
  const authority = `--from-literal=ca.crt=${Buffer.from(encoded, 'base64').toString()}`;
  return kubectl(...inTeam('create', 'configmap', 'ca', authority, '--dry-run=client', '--output', 'yaml'));
};

/** A Pod mounts the token's Secret and calls another, which verifies; the token is renewed and revoked meanwhile. */
export const declared = async (walk: Walk, stage: Stage): Promise<void> => {
  const { kubectl, apply } = stage;
  await walk.step('kubectl apply: OAuthClients, a Token, a verifier and two workloads', async () => {
    await kubectl('create', 'namespace', TEAM);
    await apply(await scriptsManifest(stage));
    await apply(await authorityManifest(stage));
    await apply(await readFile(join(import.meta.dirname, 'manifests/apps.yaml'), 'utf8'));
    await kubectl(...inTeam('wait', '--for=condition=Ready', 'm2mtoken/caller', '--timeout=1m'));
    await kubectl(...inTeam('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=2m'));
  });
  await walk.step(
    'the mounted token is good at the verifier: signature by JWKS, then introspection',
    async () => {
      const { jti, sub } = await callerTells(stage, ({ status }) => status === 200);
      expect(jti === (await tokenID(stage)), `another token than the declared one: ${jti}`);
      walk.note(`jti ${jti}, subject ${sub}`);
    },
  );
  await walk.step('a renewal reaches the mounted file, and is good', async () => {
    const before = await tokenID(stage);
    await kubectl(...inTeam('annotate', 'm2mtoken', 'caller', 'm2moauth.dev/renew=1'));
    const { jti } = await callerTells(stage, (line) => line.status === 200 && line.jti !== before);
    expect(jti === (await tokenID(stage)), `another token than the renewed one: ${jti}`);
  });
};

/** A blacklisted token is refused by the verifier, while its signature is as good as ever. */
export const blacklisted = async (walk: Walk, stage: Stage): Promise<void> => {
  const { kubectl } = stage;
  await walk.step('a blacklisted token is refused by the verifier', async () => {
    await kubectl(
      ...inTeam('patch', 'm2mtoken', 'caller', '--type=merge', '--patch={"spec":{"revoked":true}}'),
    );
    const startedAt = performance.now();
    const { reason } = await callerTells(stage, ({ status }) => status === 401);
    expect(reason === 'not active', `refused for another reason: ${reason}`);
    walk.note(`seen by the workload ${Math.round(performance.now() - startedAt)} ms after kubectl patch`);
  });
};

/** A workload gets tokens over gRPC for its ServiceAccount's token, without pause, whatever becomes of replicas. */
export const handedOut = async (walk: Walk, stage: Stage): Promise<void> => {
  const { kubectl, helm } = stage;
  await walk.step('a Pod with only a projected ServiceAccount token gets tokens over gRPC', async () => {
    const { sub } = await workerGoesOn(stage, 0);
    expect(sub === 'worker', `another subject: ${sub}`);
    const records = await kubectl(...inTeam('get', 'm2missued', '--output', 'name'));
    expect(records.includes('issuedtoken'), 'no record of a handed-out token');
  });
  await walk.step("the leader's Pod is deleted: another leads, and issues", async () => {
    const before = await leaderPod(stage);
    await kubectl(...inSystem('delete', 'pod', String(before), '--wait=false'));
    const after = await eventually(
      async () => {
        const now = await leaderPod(stage);
        return now !== undefined && now !== before && now;
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
    await stage.apply(LATER);
    await kubectl(...inTeam('wait', '--for=condition=Ready', 'm2mtoken/later', '--timeout=1m'));
    walk.note(`${before} → ${after}`);
    await kubectl(...inSystem('rollout', 'status', `deployment/${RELEASE}`, '--timeout=2m'));
  });
  await walk.step('a rolling upgrade under CreateToken load', async () => {
    const before = await workerFigures(stage);
    const pods = await operatorPods(stage);
    const flags = ['--reuse-values', '--set', 'image.tag=e2e-next', '--wait', '--timeout', '3m'];
    await helm('upgrade', RELEASE, CHART, ...inSystem(...flags));
    await eventually(async () => !(await operatorPods(stage)).some((pod) => pods.includes(pod)), {
      timeoutMs: 60_000,
    });
    await workerGoesOn(stage, (await workerFigures(stage)).created);
    const after = await workerFigures(stage);
    walk.note(
      `${after.created - before.created} tokens meanwhile, ${after.failed} calls failed since the start`,
    );
    expect(after.failed === 0, `calls failed: ${after.failures.slice(0, 5).join(', ')}`);
  });
};

const LATER = `
apiVersion: m2moauth.dev/v1alpha1
kind: Token
metadata: {name: later, namespace: ${TEAM}}
spec:
  clientRef: {name: caller}
  audience: [https://api.example.com]
`;

/** Metrics that the alerts or the dashboard name and a scrape lacks. */
const metricsMissingIn = async (figures: string): Promise<string[]> => {
  const files = ['alerts.yaml', 'dashboard.json'].map((name) => join(ROOT, CHART, 'files', name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const declared = metricsDeclaredIn(figures);
  return metricsNamedIn(texts.join('\n')).filter((name) => !declared.includes(name));
};

/** What the API server and the container's file system refused: nothing. */
export const quiet = async (walk: Walk, stage: Stage): Promise<void> => {
  await walk.step(
    'the permissions suffice, nothing writes to the root file system, and every metric is there',
    async () => {
      for (const pod of await operatorPods(stage)) {
        const figures = await scrape(stage, pod);
        const missing = await metricsMissingIn(figures);
        expect(missing.length === 0, `${pod} has no ${missing.join(', ')}`);
        const forbidden = figures.match(/^m2moauth_api_requests_total\{.*code="403".*/gmu);
        expect(!forbidden, `${pod}: ${forbidden}`);
        const log = await stage.kubectl(...inSystem('logs', pod));
        expect(!/EROFS|read-only file system|forbidden/iu.test(log), `${pod} tells of a refusal`);
        const bad = log.split('\n').filter((line) => /"level":"(error|fatal)"/u.test(line));
        expect(bad.length === 0, `${pod}: ${bad[0]}`);
      }
    },
  );
};

/** What helm uninstall leaves, and what a new install finds. */
export const uninstalled = async (walk: Walk, stage: Stage): Promise<void> => {
  const { helm, kubectl } = stage;
  const secretOf = () => kubectl(...inTeam('get', 'secret', 'later', '--output', 'jsonpath={.data.token}'));
  const before = await secretOf();
  await walk.step('helm uninstall leaves CRDs, Tokens, Secrets and signing keys', async () => {
    await helm('uninstall', RELEASE, ...inSystem('--wait', '--timeout', '2m'));
    expect((await secretOf()) === before, 'the Secret has changed');
    const left = await kubectl(...inSystem('get', 'signingkey,secret', '--output', 'name'));
    expect(left.includes('signingkey.m2moauth.dev/default'), `the SigningKey is gone: ${left}`);
    const gone = await kubectl(
      ...inSystem('get', 'deployment,service,poddisruptionbudget', '--output', 'name'),
    );
    expect(gone.trim() === '', `left behind: ${gone}`);
  });
  await walk.step('installed again, it goes on with the same keys and tokens', async () => {
    const flags = [...IMAGE, '--set', 'image.tag=e2e', '--wait', '--timeout', '3m'];
    await helm('install', RELEASE, CHART, ...inSystem(...flags));
    await kubectl(...inTeam('wait', '--for=condition=Ready', 'm2mtoken/later', '--timeout=1m'));
    expect((await secretOf()) === before, 'the Token was issued anew');
  });
};

/** `watchNamespaces`: Roles in place of the ClusterRole, and a namespace that nobody looks at. */
export const narrowed = async (walk: Walk, stage: Stage): Promise<void> => {
  const { helm, kubectl, apply } = stage;
  await walk.step('with watchNamespaces it issues there, with Roles alone', async () => {
    const flags = ['--reuse-values', '--set', `watchNamespaces={${TEAM}}`, '--wait', '--timeout', '3m'];
    await helm('upgrade', RELEASE, CHART, ...inSystem(...flags));
    await kubectl(...inSystem('rollout', 'status', `deployment/${RELEASE}`, '--timeout=2m'));
    await apply(LATER.replace('name: later', 'name: narrowed'));
    await kubectl(...inTeam('wait', '--for=condition=Ready', 'm2mtoken/narrowed', '--timeout=1m'));
    const account = `system:serviceaccount:${SYSTEM}:${RELEASE}`;
    const asked = ['auth', 'can-i', 'list', 'secrets', '--namespace', 'default', '--as', account];
    const answer = await kubectl(...asked).catch(String);
    expect(answer.includes('no'), `it may list Secrets elsewhere: ${answer}`);
  });
};
