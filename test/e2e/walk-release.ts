import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { metricsDeclaredIn, metricsNamedIn } from '../support/named-metrics.ts';
import { type ClusterEnv, RELEASE, ROOT, SYSTEM } from './support/cluster-env.ts';
import { CHART, expect, inSystem, inTeam, TEAM, tokenManifest, upgradeWith } from './support/ground.ts';
import { operatorPods, scrape } from './support/observations.ts';
import type { Walk } from './support/steps.ts';
import { pages } from './walk-pages.ts';

/** helm install and helm test as docs/install.md has them, and what helm prints at the end pasted into a shell. */
export const install = async (walk: Walk, env: ClusterEnv): Promise<void> => {
  const { helm, kubectl, bash } = env;
  await walk.step('docs/install.md: helm install and helm test, under restricted Pod Security', async () => {
    await kubectl('create', 'namespace', SYSTEM);
    await kubectl('label', 'namespace', SYSTEM, 'pod-security.kubernetes.io/enforce=restricted');
    const output = await bash(await pages.helmInstall());
    expect(output.includes('Phase:          Succeeded'), `helm test printed ${output}`);
  });
  await walk.step('what helm printed can be pasted into a shell', async () => {
    const [, script = ''] = (await helm('get', 'notes', RELEASE, ...inSystem())).split('NOTES:\n');
    await bash(script.split('\n').slice(1).join('\n'));
  });
};

/** Metrics that the alerts or the dashboard name and a scrape does not have. */
const metricsMissingIn = async (figures: string): Promise<string[]> => {
  const files = ['alerts.yaml', 'dashboard.json'].map((name) => join(ROOT, CHART, 'files', name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const declared = metricsDeclaredIn(figures);
  return metricsNamedIn(texts.join('\n')).filter((name) => !declared.includes(name));
};

/** What the API server and the container's file system rejected: nothing. */
export const quiet = async (walk: Walk, env: ClusterEnv): Promise<void> => {
  await walk.step(
    'the permissions suffice, nothing writes to the root file system, and every metric is there',
    async () => {
      for (const pod of await operatorPods(env)) {
        const figures = await scrape(env, pod);
        const missing = await metricsMissingIn(figures);
        expect(missing.length === 0, `${pod} has no ${missing.join(', ')}`);
        const forbidden = figures.match(/^m2moauth_api_requests_total\{.*code="403".*/gmu);
        expect(!forbidden, `${pod}: ${forbidden}`);
        const log = await env.kubectl(...inSystem('logs', pod));
        expect(!/EROFS|read-only file system|forbidden/iu.test(log), `${pod} logged a rejection`);
        const bad = log.split('\n').filter((line) => /"level":"(error|fatal)"/u.test(line));
        expect(bad.length === 0, `${pod}: ${bad[0]}`);
      }
    },
  );
};

/** What helm uninstall leaves, and what a new install finds. */
export const uninstalled = async (walk: Walk, env: ClusterEnv): Promise<void> => {
  const { helm, kubectl, bash } = env;
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
  await walk.step(
    "installed again, as the chart's page has it, it goes on with the same keys and tokens",
    async () => {
      await bash(await pages.chart());
      await kubectl(...inTeam('wait', '--for=condition=Ready', 'm2mtoken/later', '--timeout=1m'));
      expect((await secretOf()) === before, 'the Token was issued anew');
    },
  );
};

/** IDs as OpenShift's restricted-v2 assigns them: any user, in the group 0. */
const ASSIGNED_IDS = ['runAsUser=1000680000', 'runAsGroup=0', 'fsGroup=1000680000']
  .map((id) => `podSecurityContext.${id}`)
  .join(',');

/** `watchNamespaces`: Roles in place of the ClusterRole, and a namespace that is not watched. */
export const narrowed = async (walk: Walk, env: ClusterEnv): Promise<void> => {
  const { kubectl, apply } = env;
  await walk.step(
    'with watchNamespaces it issues there, with Roles alone, and as a user that a platform assigned',
    async () => {
      // With the permission to look for other installations, which it otherwise asks for in vain.
      await upgradeWith(env, `watchNamespaces={${TEAM}},rbac.installations=Always,${ASSIGNED_IDS}`);
      await kubectl(...inSystem('rollout', 'status', `deployment/${RELEASE}`, '--timeout=2m'));
      await apply(tokenManifest('narrowed'));
      await kubectl(...inTeam('wait', '--for=condition=Ready', 'm2mtoken/narrowed', '--timeout=1m'));
      const account = `system:serviceaccount:${SYSTEM}:${RELEASE}`;
      const asked = ['auth', 'can-i', 'list', 'secrets', '--namespace', 'default', '--as', account];
      const answer = await kubectl(...asked).catch(String);
      expect(answer.includes('no'), `it may list Secrets elsewhere: ${answer}`);
    },
  );
};
