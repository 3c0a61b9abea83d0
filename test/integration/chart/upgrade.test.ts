import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { CRD_REVISION, CRD_REVISION_ANNOTATION } from '../../../operator/api/crd-revision.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { bodyOf, type KubeObject, type Ref, type TestApi, testApi } from '../../support/api.ts';
import { applyObjects, readObjects } from '../../support/apply.ts';
import { outputOf, run } from '../../support/command.ts';
import { eventually } from '../../support/eventually.ts';
import { CHART, helm, RELEASE } from '../../support/helm.ts';
import { httpUrl, postForm } from '../../support/http.ts';
import {
  GROUP_VERSION,
  oauthClient,
  SYSTEM,
  signingKey,
  token,
  waitForReason,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { startReleasedOperator } from '../../support/release.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';
import { type PreviousRelease, unpackPreviousRelease } from './previous-release.ts';

/**
 * helm upgrade from the previous release to this one: CRDs, permissions, and what the previous operator has left. Pods
 * take no part; that replicas follow each other under load without a failed call is a step of make e2e.
 */

const ROOT = join(import.meta.dirname, '../../..');
const AUDIENCE = 'https://api.example.com';
const CLIENT_SECRET: Ref = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'shared-client', namespace: SYSTEM },
};
const REPORTS = token('reports', SYSTEM);

const withHelm = suiteUnless(await whyMissing('helm'));

withHelm('helm upgrade from the previous release', () => {
  let previous: PreviousRelease;
  let cluster: Cluster;
  let api: TestApi;
  const operators: OperatorProcess[] = [];

  const toCluster = (...args: string[]): Promise<string> =>
    helm(...args, '--namespace', SYSTEM, '--kubeconfig', cluster.kubeconfigPath);
  const startOperator = async (main?: string): Promise<OperatorProcess> => {
    const { kubeconfigPath } = cluster;
    const release = { api, kubeconfigPath, namespace: SYSTEM, name: RELEASE };
    const operator = await startReleasedOperator(release, main);
    operators.push(operator);
    return operator;
  };
  const read = async (ref: Ref): Promise<KubeObject> => bodyOf(await api.get(ref));

  beforeAll(async () => {
    previous = await unpackPreviousRelease();
    cluster = await startCluster();
    api = testApi(cluster.kubeconfigPath);
  }, 900_000);
  afterAll(async () => {
    await Promise.all(operators.map((operator) => operator.kill()));
    await api?.close();
    await cluster?.stop();
    await previous?.remove();
  });

  /** What the tests below each other leave for the next one. */
  let old: OperatorProcess;
  let now: OperatorProcess;
  let before: { readonly reports: KubeObject; readonly secret: KubeObject };
  let recordObjects: string;
  /** Its ServiceAccount had the permissions of the release before. */
  let forbiddenBefore: number;
  const forbidden = () => now.sum('m2moauth_api_requests_total', 'code="403"');

  test('the packed chart is that of its commit, where the history is here', async () => {
    const archive = ['archive', previous.commit, '--output', join(previous.chart, '../commit.tar')];
    const { exitCode } = await run('git', [...archive, 'charts/m2m-oauth-operator'], { cwd: ROOT });
    if (exitCode !== 0) return console.warn(`not compared: there is no commit ${previous.commit} here`);
    const dir = join(previous.chart, '..');
    await outputOf('tar', ['-xf', join(dir, 'commit.tar'), '-C', dir]);
    await outputOf('diff', ['-r', join(dir, 'charts/m2m-oauth-operator'), previous.chart]);
  });

  test('helm installs the previous release, whose operator issues and issues', async () => {
    await toCluster('install', RELEASE, previous.chart, '--create-namespace');
    old = await startOperator(previous.main);
    await old.ready();
    await waitForReason(api, signingKey(), 'Active');
    const authentication = { clientSecret: { secretRef: { name: 'shared-client' }, generate: true } };
    await applyObjects(api, [oauthClient('shared', SYSTEM, { authentication }), REPORTS]);
    const reports = await waitForReason(api, REPORTS, 'Issued');
    const secret = await read({ ...CLIENT_SECRET, metadata: { name: 'reports', namespace: SYSTEM } });
    before = { reports, secret };
    recordObjects = await obtain(old);
  }, 90_000);

  const obtain = async (operator: OperatorProcess): Promise<string> => {
    const url = await httpUrl(operator);
    return eventually(async () => {
      const { data } = await read(CLIENT_SECRET);
      const secret = Buffer.from(data.client_secret, 'base64').toString();
      const answer = await postForm(`${url}/oauth/token`, {
        grant_type: 'client_credentials',
        client_id: 'shared',
        client_secret: secret,
        audience: AUDIENCE,
      });
      const body = (await answer.json()) as { access_token?: string };
      if (!body.access_token) throw new Error(`no token: ${JSON.stringify(body)}`);
      return body.access_token;
    });
  };

  test('before CRDs of an older revision, an operator of this release is not ready, and reports why', async () => {
    const [crd] = (await readObjects([join(previous.chart, 'files/crds')])) as KubeObject[];
    const revision = crd?.metadata.annotations?.[CRD_REVISION_ANNOTATION];
    expect(Number(revision)).toBeLessThan(CRD_REVISION);
    now = await startOperator();
    await eventually(async () => {
      const answer = await fetch(`${now.opsUrl}/readyz`);
      const text = await answer.text();
      return answer.status === 503 && text.includes(`is at revision ${revision}, older than`);
    });
  }, 60_000);

  test('helm upgrades the CRDs, and the operator becomes ready by itself', async () => {
    await toCluster('upgrade', RELEASE, CHART);
    for (const wanted of (await readObjects([join(ROOT, 'crds')])) as KubeObject[]) {
      const { metadata, spec } = await read(wanted);
      expect(metadata.annotations?.[CRD_REVISION_ANNOTATION]).toBe(String(CRD_REVISION));
      const [{ additionalPrinterColumns: columns }] = wanted.spec.versions;
      expect(spec.versions[0].additionalPrinterColumns).toEqual(columns);
    }
    await now.ready();
    forbiddenBefore = await forbidden();
    expect(await old.stop()).toBe(0);
  }, 60_000);

  test('it goes on: another Token, another token at the server, with nothing forbidden', async () => {
    const later = token('later', SYSTEM);
    await applyObjects(api, [later]);
    await waitForReason(api, later, 'Issued');
    expect(decodeJwt(await obtain(now)).client_id).toBe('shared');
    expect(await forbidden()).toBe(forbiddenBefore);
    const policy = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
    };
    await read({ ...policy, metadata: { name: `${RELEASE}-status` } });
    expect(JSON.parse(await toCluster('history', RELEASE, '--output', 'json'))).toHaveLength(2);
  }, 60_000);

  test('the Token is Ready with the same JWT, and its Secret is unchanged', async () => {
    const reports = await waitForReason(api, REPORTS, 'Issued');
    expect(reports.status.id).toBe(before.reports.status.id);
    expect(reports.metadata.uid).toBe(before.reports.metadata.uid);
    const secret = await read(before.secret);
    expect(secret.metadata.resourceVersion).toBe(before.secret.metadata.resourceVersion);
  }, 60_000);

  test('what was issued before is recorded, active and verifiable', async () => {
    const { jti } = decodeJwt(recordObjects);
    const record = { kind: 'IssuedToken', metadata: { name: String(jti), namespace: SYSTEM } };
    expect((await read({ apiVersion: GROUP_VERSION, ...record })).spec.clientID).toBe('shared');
    const published = { kind: 'ConfigMap', metadata: { name: 'default-jwks', namespace: SYSTEM } };
    const { data } = await read({ apiVersion: 'v1', ...published });
    await jwtVerify(recordObjects, createLocalJWKSet(JSON.parse(data['jwks.json'])), { audience: AUDIENCE });
    const { client_secret } = (await read(CLIENT_SECRET)).data;
    const answer = await postForm(`${await httpUrl(now)}/oauth/introspect`, {
      client_id: 'shared',
      client_secret: Buffer.from(client_secret, 'base64').toString(),
      token: recordObjects,
    });
    expect(await answer.json()).toMatchObject({ active: true, jti });
  });
});
