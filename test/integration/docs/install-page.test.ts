import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import {
  type Expectation,
  followPage,
  type PageEnv,
  preparePageEnv,
  writeMutualTls,
} from '../../clients/page-suite.ts';
import { ROOT } from '../../clients/programs.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { bodyOf, type TestApi, testApi } from '../../support/api.ts';
import { applyObjects } from '../../support/apply.ts';
import { RELEASE } from '../../support/helm.ts';
import { oauthClient, SYSTEM, signingKey, token, waitForReason } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { startReleasedOperator } from '../../support/release.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';

/**
 * docs/install.md, command by command, where no node is needed. `make e2e` runs the blocks that wait for Pods. No Pod runs
 * here: what the manifests would start is a process with the same configuration and permissions.
 */

const missing = await whyMissing('helm', 'kubectl');
const suite = suiteUnless(missing);
const markdown = readFileSync(join(ROOT, 'docs/install.md'), 'utf8');

const MANIFESTS: readonly Expectation[] = [
  [
    'helm template',
    'tokens.m2moauth.dev serverside-applied',
    'customresourcedefinition.apiextensions.k8s.io/tokens.m2moauth.dev condition met',
    'secret/serving-cert created',
    'deployment.apps/m2m-oauth-operator serverside-applied',
  ],
];
const TAKEOVER: readonly Expectation[] = [['--take-ownership', 'STATUS: deployed']];
const REMOVAL: readonly Expectation[] = [
  ['kubectl delete crd', '"tokens.m2moauth.dev" deleted', 'namespace "m2m-oauth-system" deleted'],
];

let cluster: Cluster;
let api: TestApi;
let env: PageEnv;
let shell: Shell;

beforeAll(async () => {
  if (missing !== undefined) return;
  env = await preparePageEnv(['kubectl', 'helm'], () => cluster.kubeconfigPath);
  // Copied: kubectl follows no link to a folder.
  for (const folder of ['crds', 'charts'])
    cpSync(join(ROOT, folder), join(env.dir, folder), { recursive: true });
  await writeMutualTls(env.dir);
  cluster = await startCluster();
  api = testApi(cluster.kubeconfigPath);
  shell = startShell(env.dir, env.env());
}, 900_000);
afterAll(async () => {
  await shell?.end();
  await api?.close();
  await cluster?.stop();
  env?.remove();
});

suite('docs/install.md, installation with kubectl', () => {
  let operator: OperatorProcess | undefined;
  afterAll(() => operator?.kill());

  followPage({ blocks: shellBlocks(markdown, 'manifests'), expected: MANIFESTS, shell: () => shell });

  test('the operator that it installs becomes ready, and issues a Token', async () => {
    const { kubeconfigPath } = cluster;
    operator = await startReleasedOperator({ api, kubeconfigPath, namespace: SYSTEM, name: RELEASE });
    await operator.ready();
    await waitForReason(api, signingKey(), 'Active');
    const reports = token('reports', SYSTEM);
    await applyObjects(api, [oauthClient('shared', SYSTEM), reports]);
    await waitForReason(api, reports, 'Issued');
    expect(await operator.sum('m2moauth_api_requests_total', 'code="403"')).toBe(0);
  }, 90_000);
});

suite('docs/install.md, helm takes over what kubectl has applied', () => {
  followPage({ blocks: shellBlocks(markdown, 'takeover'), expected: TAKEOVER, shell: () => shell });

  test('the CRDs are of the release, and nothing of theirs is lost', async () => {
    const definition = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
    const crd = bodyOf(await api.get({ ...definition, metadata: { name: 'tokens.m2moauth.dev' } }));
    expect(crd.metadata.annotations?.['meta.helm.sh/release-name']).toBe(RELEASE);
    await waitForReason(api, token('reports', SYSTEM), 'Issued');
  });
});

suite('docs/install.md, what removes all of it', () => {
  followPage({ blocks: shellBlocks(markdown, 'remove'), expected: REMOVAL, shell: () => shell });

  test('nothing of the kinds is left, nor the namespace', async () => {
    const { body } = await api.request('GET', '/apis');
    expect(JSON.stringify(body)).not.toContain('m2moauth.dev');
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM } };
    expect((await api.get(namespace)).status).toBe(404);
  });
});
