import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { applyObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import {
  claimsIn,
  type Installation,
  install,
  oauthClient,
  SYSTEM,
  signingKey,
  token,
  waitForReason,
} from '../../support/installation.ts';
import { observe } from '../../support/observer.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';

/** The compiled operator, with its ServiceAccount's permissions and no others. */

let installation: Installation;
let operator: OperatorProcess;
let namespace: string;

beforeAll(async () => {
  installation = await install();
}, 600_000);
afterAll(() => installation?.close());
beforeEach(async () => {
  operator = await installation.operator();
  namespace = await installation.api.createNamespace('process');
  await operator.ready();
}, 120_000);
afterEach(async () => {
  await operator.stop();
});

const lease = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'm2m-oauth-operator', namespace: SYSTEM },
};
const secretOf = (name: string, inside = namespace) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: inside },
});

/** Everything that the operator does with the API server, once. */
const liveThrough = async (): Promise<void> => {
  const { api } = installation;
  await applyObjects(api, [
    oauthClient('generated', namespace, {
      clientID: `generated-in-${namespace}`,
      authentication: { clientSecret: { secretRef: { name: 'generated-credentials' }, generate: true } },
    }),
    token('a', namespace),
    token('b', namespace, { clientRef: { name: 'generated' } }),
    token('c', namespace, {
      expiration: new Date(Date.now() + 3000).toISOString(),
      ttlSecondsAfterExpired: 0,
    }),
  ]);
  await waitForReason(api, token('a', namespace), 'Issued');
  await waitForReason(api, token('b', namespace), 'Issued');
  bodyOf(await api.delete(secretOf('a')));
  await eventually(async () => (await api.get(secretOf('a'))).status === 200);
  bodyOf(
    await api.patch(token('a', namespace), 'merge', {
      metadata: { annotations: { 'm2moauth.dev/renew': '1' } },
    }),
  );
  await eventually(async () => bodyOf(await api.get(token('a', namespace))).status.issuance === 2);
  bodyOf(await api.patch(token('b', namespace), 'merge', { spec: { revoked: true } }));
  await waitForReason(api, token('b', namespace), 'Blacklisted');
  const rotate = { metadata: { annotations: { 'm2moauth.dev/rotate': String(Date.now()) } } };
  bodyOf(await api.patch(signingKey(), 'merge', rotate));
  await eventually(
    async () =>
      bodyOf(await api.get(signingKey())).status.lastHandledRotate ===
      rotate.metadata.annotations['m2moauth.dev/rotate'],
  );
  await eventually(async () => (await api.get(token('c', namespace))).status === 404, { timeoutMs: 30_000 });
};

test('the operator needs no permission that its role does not have', async () => {
  await liveThrough();
  expect(await operator.sum('m2moauth_api_requests_total', 'code="403"')).toBe(0);
  expect(await operator.sum('m2moauth_api_requests_total', 'code="401"')).toBe(0);
  expect(operator.log.filter(({ level }) => level === 'error' || level === 'stderr')).toEqual([]);
}, 120_000);

test('no JWT, secret or key is in a log, an event, a metric, a label or a status', async () => {
  const { api } = installation;
  const watched = await observe(installation.cluster.kubeconfigPath, {
    apiVersion: 'v1',
    kind: 'Secret',
    namespace,
  });
  await liveThrough().finally(() => watched.stop());
  const needles = new Set<string>();
  const keySecrets = bodyOf(
    await api.list({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: SYSTEM } }),
  ).items;
  for (const secret of [...watched.sights.map(({ object }) => object), ...keySecrets]) {
    for (const [name, encoded] of Object.entries((secret.data ?? {}) as Record<string, string>)) {
      if (name === 'client_id') continue;
      const text = Buffer.from(encoded, 'base64').toString('utf8');
      if (text.length < 16) continue;
      needles.add(text.startsWith('-----') ? (text.split('\n')[1] ?? text) : (text.split('.')[2] ?? text));
    }
  }
  expect(needles.size).toBeGreaterThan(4);
  const events = bodyOf(await api.list({ apiVersion: 'events.k8s.io/v1', kind: 'Event' })).items;
  const resources = await Promise.all(
    [token('', namespace), oauthClient('', namespace), signingKey('')].map(
      async (ref) => bodyOf(await api.list(ref)).items,
    ),
  );
  const haystack = JSON.stringify([
    operator.log,
    events,
    resources,
    await (await fetch(`${operator.opsUrl}/metrics`)).text(),
  ]);
  for (const needle of needles) expect(haystack.includes(needle)).toBe(false);
  expect(events.length).toBeGreaterThan(0);
}, 120_000);

test('a restart with Ready Tokens reads no Secret, issues nothing and writes nothing', async () => {
  const { api } = installation;
  const names = Array.from({ length: 200 }, (_, at) => `t-${at}`);
  for (const name of names) bodyOf(await api.create(token(name, namespace)));
  for (const name of names) await waitForReason(api, token(name, namespace), 'Issued', 60_000);
  expect(await operator.stop()).toBe(0);
  const before = new Map(
    bodyOf(await api.list(token('', namespace))).items.map((item) => [
      item.metadata.uid,
      item.metadata.resourceVersion,
    ]),
  );
  const watched = await observe(installation.cluster.kubeconfigPath, {
    apiVersion: 'v1',
    kind: 'Secret',
    namespace,
  });
  const listed = watched.sights.length;
  operator = await installation.operator();
  await eventually(
    async () => (await operator.sum('m2moauth_reconciles_total', 'kind="Token"')) >= names.length,
    {
      timeoutMs: 60_000,
    },
  );
  expect(await operator.sum('m2moauth_tokens_issued_total')).toBe(0);
  expect(watched.sights.length).toBe(listed);
  await watched.stop();
  for (const item of bodyOf(await api.list(token('', namespace))).items) {
    expect(item.metadata.resourceVersion).toBe(before.get(item.metadata.uid));
  }
}, 180_000);

test('SIGTERM ends with 0 and gives the lease up', async () => {
  await eventually(async () => (await operator.metric('m2moauth_leader')) === 1, { timeoutMs: 30_000 });
  expect(bodyOf(await installation.api.get(lease)).spec.holderIdentity).not.toBe('');
  expect(await operator.stop()).toBe(0);
  expect(bodyOf(await installation.api.get(lease)).spec.holderIdentity).toBe('');
}, 60_000);

test('SIGTERM ends it where its log is no longer read', async () => {
  operator.stopReading();
  expect(await operator.stop()).toBe(0);
});

test('probes and metrics show a working leader', async () => {
  const { api } = installation;
  bodyOf(await api.create(token('seen', namespace)));
  await waitForReason(api, token('seen', namespace), 'Issued');
  expect((await fetch(`${operator.opsUrl}/healthz`)).status).toBe(200);
  expect((await fetch(`${operator.opsUrl}/readyz`)).status).toBe(200);
  expect(await operator.metric('m2moauth_leader')).toBe(1);
  expect(await operator.metric('m2moauth_tokens{state="Issued"}')).toBeGreaterThan(0);
  expect(await operator.metric('m2moauth_signing_keys{phase="Active"}')).toBe(1);
  expect(await operator.metric('m2moauth_signing_keys{phase="Published"}')).toBe(1);
  expect(await operator.sum('m2moauth_signing_seconds_count')).toBeGreaterThan(0);
}, 60_000);

test('the Secret of a Token goes with it', async () => {
  const { api } = installation;
  bodyOf(await api.create(token('short', namespace)));
  await waitForReason(api, token('short', namespace), 'Issued');
  const claims = claimsIn(bodyOf(await api.get(secretOf('short'))));
  expect(claims['m2moauth.dev/token']).toBe(`${namespace}/short`);
  bodyOf(await api.delete(token('short', namespace)));
  await eventually(async () => (await api.get(secretOf('short'))).status === 404, { timeoutMs: 30_000 });
}, 60_000);

test('an older CRD keeps a replica unready, and readiness says which', async () => {
  const { api } = installation;
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'tokens.m2moauth.dev' },
  };
  const revision = bodyOf(await api.get(crd)).metadata.annotations?.['m2moauth.dev/crd-revision'];
  const annotate = async (value: string | undefined) =>
    bodyOf(
      await api.patch(crd, 'merge', { metadata: { annotations: { 'm2moauth.dev/crd-revision': value } } }),
    );
  await annotate('0');
  try {
    const late = await installation.operator();
    await eventually(async () =>
      (await (await fetch(`${late.opsUrl}/readyz`)).text()).includes('tokens.m2moauth.dev'),
    );
    expect((await fetch(`${late.opsUrl}/readyz`)).status).toBe(503);
    await annotate(revision);
    await late.ready();
    await late.stop();
  } finally {
    await annotate(revision);
  }
}, 120_000);
