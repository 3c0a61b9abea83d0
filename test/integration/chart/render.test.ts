import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { parseConfig } from '../../../operator/config/load.ts';
import { type KubeObject, testApi } from '../../support/api.ts';
import { applyFiles, applyObjects, readObjects } from '../../support/apply.ts';
import { CHART, helm, RELEASE, rejectionOfHelm, renderChart, valueFlags } from '../../support/helm.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';
import { isThirdParty, tryToApply } from './rendered.ts';
import { VALUES } from './values-matrix.ts';

/** The chart as helm renders it, before the API server that would take it. */

const ROOT = join(import.meta.dirname, '../../..');
const GOLDEN = join(import.meta.dirname, 'defaults.golden.yaml');

const api = testApi();
const withHelm = suiteUnless(await whyMissing('helm'));

const named = (objects: readonly KubeObject[], kind: string, name = RELEASE): KubeObject => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name} was rendered`);
  return found;
};

const configOf = (objects: readonly KubeObject[], name = RELEASE): string =>
  named(objects, 'ConfigMap', name).data['config.yaml'];

/** The certificate is another one each time; nothing else may be. */
const withoutCertificate = (objects: readonly KubeObject[]): KubeObject[] =>
  objects.map((object) =>
    object.kind === 'Secret'
      ? { ...object, data: { 'ca.crt': '…', 'tls.crt': '…', 'tls.key': '…' } }
      : object,
  );

withHelm('the chart', () => {
  beforeAll(async () => {
    await helm('version');
    await applyFiles(api, [join(ROOT, 'crds')]);
    const namespaces = ['m2m-oauth-system', 'team-a', 'team-b'];
    await applyObjects(
      api,
      namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    );
  }, 900_000);

  test('helm lint --strict finds nothing', async () => {
    await expect(helm('lint', '--strict', '--quiet', CHART)).resolves.toBe('');
  });

  test.each(Object.entries(VALUES))('the API server takes every object: %s', async (_, values) => {
    for (const object of await renderChart(values)) {
      if (!isThirdParty(object)) await tryToApply(api, object);
    }
  });

  test.each(Object.entries(VALUES))('the operator takes its configuration: %s', async (_, values) => {
    const text = configOf(await renderChart(values), (values.fullnameOverride as string) ?? RELEASE);
    expect(parseConfig(text, 'config.yaml').kubernetes.namespace).toBe('m2m-oauth-system');
  });

  test('the defaults are what the golden file says (UPDATE_GOLDEN=1 writes it)', async () => {
    const crds = 'CustomResourceDefinition';
    const rendered = withoutCertificate(await renderChart()).filter(({ kind }) => kind !== crds);
    const text = rendered.map((object) => stringify(object, { lineWidth: 0 })).join('---\n');
    if (process.env.UPDATE_GOLDEN) writeFileSync(GOLDEN, text);
    expect(text).toBe(readFileSync(GOLDEN, 'utf8'));
  });

  test.each([
    ['a misspelt key', { replicas: 3 }, 'replicas'],
    ['a misspelt key of the configuration', { 'config.issuer.uri': 'https://a.example' }, 'uri'],
    ['another type', { replicaCount: 'two' }, 'replicaCount'],
    ['a mode that is none', { 'tls.mode': 'Maybe' }, 'mode'],
    [
      'a separator that namespaces may have, by which team-a would include team-a-b',
      { 'ownerPolicy.separator': '-' },
      'separator',
    ],
    [
      'an excluded namespace that is none',
      { 'ownerPolicy.excludedNamespaces': ['A_B'] },
      'excludedNamespaces',
    ],
    ['a policy that is none', { 'rbac.statusPolicy': true }, 'statusPolicy'],
    [
      'an upgrade with the values of a release that had fewer (--reuse-values)',
      { ownerPolicy: null, 'config.limits': null },
      "'ownerPolicy'",
    ],
    ['a Secret without its name', { 'tls.mode': 'Secret' }, 'tls.secretName'],
    [
      'client certificates for a listener that is none',
      { 'tls.clientCertificates.requiredFor': ['ops'] },
      'requiredFor',
    ],
    [
      'client certificates without an authority',
      { 'tls.clientCertificates.requiredFor': ['http'] },
      'tls.clientCertificates.caSecretName',
    ],
    [
      'client certificates in plain text',
      {
        'tls.mode': 'None',
        'tls.clientCertificates.caSecretName': 'clients',
        'tls.clientCertificates.requiredFor': ['grpc'],
      },
      'tls.clientCertificates.requiredFor',
    ],
    ['an issuer that ends with a slash', { 'config.issuer.url': 'https://a.example/' }, 'url'],
  ])('helm rejects %s', async (_, values: Record<string, unknown>, culprit) => {
    const flags = Object.entries(values).flatMap(([key, value]) => [
      '--set-json',
      `${key}=${JSON.stringify(value)}`,
    ]);
    expect(await rejectionOfHelm('template', RELEASE, CHART, ...flags)).toContain(culprit);
  });

  test('user and group IDs can be left out, for platforms that assign them', async () => {
    const flags = ['--values', join(CHART, 'values-openshift.yaml')];
    const objects = await renderChart({}, 'm2m-oauth-system', flags);
    const { securityContext, volumes } = named(objects, 'Deployment').spec.template.spec;
    expect(securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    // Readable by any user: only kubelet's group could read them otherwise.
    expect(volumes.find(({ name }: { name: string }) => name === 'tls').secret.defaultMode).toBe(0o444);
  });

  test('no SigningKey is rendered: the operator creates it', async () => {
    const objects = await renderChart();
    expect(objects.filter(({ kind }) => kind === 'SigningKey')).toEqual([]);
    expect(parseConfig(configOf(objects), 'config.yaml').signingKey).toMatchObject({
      create: true,
      spec: { algorithm: 'ES256' },
    });
  });

  test('its CRDs are those of crds/, kept when the release goes', async () => {
    const rendered = (await renderChart()).filter(({ kind }) => kind === 'CustomResourceDefinition');
    const wanted = (await readObjects([join(ROOT, 'crds')])) as KubeObject[];
    expect(rendered.map((crd) => [crd.metadata.name, crd.spec])).toEqual(
      wanted.map((crd) => [crd.metadata.name, crd.spec]),
    );
    for (const [index, crd] of rendered.entries()) {
      expect(crd.metadata.annotations).toEqual({
        ...wanted[index]?.metadata.annotations,
        'helm.sh/resource-policy': 'keep',
      });
    }
  });

  test('it grants what operator/deploy grants, rule by rule', async () => {
    const sorted = (rules: { resourceNames?: string[] }[]) =>
      rules.map((rule) => JSON.stringify({ ...rule, resourceNames: rule.resourceNames?.toSorted() })).sort();
    const rendered = await renderChart();
    const deployed = (await readObjects(
      ['rbac.yaml', 'roles.yaml'].map((file) => join(ROOT, 'operator/deploy', file)),
    )) as KubeObject[];
    const roles = deployed.filter(({ kind }) => /Role$/u.test(kind));
    expect(roles.length).toBeGreaterThan(5);
    for (const { kind, metadata, rules } of roles) {
      const own = named(rendered, kind, metadata.name);
      expect(sorted(own.rules)).toEqual(sorted(rules));
    }
  });

  const policiesOf = (objects: readonly KubeObject[]): unknown[] =>
    objects
      .filter(({ kind }) => kind.startsWith('ValidatingAdmissionPolicy'))
      .map(({ kind, metadata, spec }) => ({ kind, name: metadata.name, spec }));
  const statusVerbsOf = (objects: readonly KubeObject[]): unknown =>
    named(objects, 'ClusterRole', 'm2moauth-revoker').rules.filter(({ resources }: { resources: string[] }) =>
      resources.some((resource) => resource.endsWith('/status')),
    );

  test('it limits writes to a status as operator/deploy does', async () => {
    const deployed = (await readObjects([join(ROOT, 'operator/deploy/roles.yaml')])) as KubeObject[];
    expect(policiesOf(deployed)).toHaveLength(2);
    expect(policiesOf(await renderChart())).toEqual(policiesOf(deployed));
    // Those of another release are the same, so that neither hinders the other's operator, whatever its ServiceAccount.
    const other = { watchNamespaces: ['team-b'], 'serviceAccount.name': 'tokens', fullnameOverride: RELEASE };
    const specs = (objects: readonly KubeObject[]) =>
      policiesOf(objects).map((policy) => ({ ...(policy as KubeObject).spec, policyName: undefined }));
    expect(specs(await renderChart(other, 'tokens-b'))).toEqual(specs(deployed));
  });

  test.each([
    ['rbac.statusPolicy Never', { 'rbac.statusPolicy': 'Never' }, []],
    ['an API server without such policies', {}, ['--api-versions', 'v1/Pod']],
  ])('m2moauth-revoker can’t write a status without the policy: %s', async (_, values, flags) => {
    const rendered = await renderChart(values, 'm2m-oauth-system', flags);
    expect(policiesOf(rendered)).toEqual([]);
    expect(statusVerbsOf(rendered)).toEqual([]);
    expect(named(rendered, 'ClusterRole', 'm2moauth-revoker').rules).toHaveLength(1);
    expect(statusVerbsOf(await renderChart())).toHaveLength(1);
  });

  test('the policy comes without the roles where it has to, and covers the watched namespaces alone', async () => {
    const values = VALUES['a second release, which has no roles of its own'];
    const rendered = await renderChart(values, 'tokens-b');
    const roles = rendered.filter(({ metadata }) => metadata.name.startsWith('m2moauth-'));
    expect(roles).toEqual([]);
    const name = 'm2m-oauth-operator-tokens-b-status';
    const { matchConditions } = named(rendered, 'ValidatingAdmissionPolicy', name).spec;
    expect(matchConditions.map((condition: { name: string }) => condition.name)).toEqual([
      'may-not-update',
      'not-a-status-writer',
    ]);
    expect(matchConditions[1].expression).toBe(
      '!(request.userInfo.username in ["system:serviceaccount:velero:velero"])',
    );
    const { policyName, matchResources } = named(rendered, 'ValidatingAdmissionPolicyBinding', name).spec;
    expect(policyName).toBe(name);
    expect(matchResources.namespaceSelector.matchExpressions).toEqual([
      { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['team-b', 'tokens-b'] },
    ]);
  });

  test.each([
    ['the defaults', {}, false],
    ['two namespaces alone', VALUES['two namespaces alone'], false],
    ['a second release', VALUES['a second release, which has no roles of its own'], false],
    ['no roles and no policy', VALUES['without rights to create cluster roles'], true],
    ['no roles, and Never', { 'rbac.aggregatedRoles': false, 'rbac.statusPolicy': 'Never' }, true],
  ])('its notes warn where it has neither the policy nor the roles: %s', async (_, values = {}, warns) => {
    const flags = ['--dry-run=client', '--namespace', 'default', ...valueFlags(values)];
    const notes = await helm('install', RELEASE, CHART, ...flags);
    expect(notes.includes('WARNING: this release has no admission policy')).toBe(warns);
  });

  test('with watchNamespaces it may do nothing in other namespaces but read their labels', async () => {
    const rendered = await renderChart({ watchNamespaces: ['team-a'] });
    const { rules } = named(rendered, 'ClusterRole');
    const resources = rules.flatMap((rule: { resources: string[] }) => rule.resources);
    expect(resources.sort()).toEqual(['customresourcedefinitions', 'namespaces', 'tokenreviews']);
    const roles = rendered.filter(({ kind }) => kind === 'Role').map(({ metadata }) => metadata.namespace);
    expect(roles).toEqual(['m2m-oauth-system', 'team-a']);
  });

  test.each([
    ['Auto', [], true],
    ['Auto', ['team-a'], false],
    ['Always', ['team-a'], true],
    ['Never', [], false],
  ])(
    'with rbac.installations %s and watchNamespaces %j it sees other installations: %s',
    async (value, watchNamespaces, sees) => {
      const rendered = await renderChart({ watchNamespaces, 'rbac.installations': value });
      const { rules } = named(rendered, 'ClusterRole');
      const leases = rules.filter(({ resources }: { resources: string[] }) => resources.includes('leases'));
      const seen = { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['list'] };
      expect(leases).toEqual(sees ? [{ ...seen, resourceNames: ['m2m-oauth-operator'] }] : []);
    },
  );

  test('another configuration is another Pod, and the same one is not', async () => {
    const checksum = async (values: Record<string, unknown>) =>
      named(await renderChart(values), 'Deployment').spec.template.metadata.annotations['checksum/config'];
    const before = await checksum({});
    expect(await checksum({ replicaCount: 5 })).toBe(before);
    expect(await checksum({ 'config.log.level': 'debug' })).not.toBe(before);
  });

  describe('client certificates', () => {
    const CA = { 'tls.clientCertificates.caSecretName': 'clients' };
    const OLD = { 'tls.clientCertificates.required': true };
    const requiredFor = (...listeners: string[]) => ({ 'tls.clientCertificates.requiredFor': listeners });

    test.each([
      ['no values', {}, []],
      ['an authority alone', CA, []],
      ['requiredFor grpc', { ...CA, ...requiredFor('grpc') }, ['grpc']],
      ['requiredFor http', { ...CA, ...requiredFor('http') }, ['http']],
      ['requiredFor both', { ...CA, ...requiredFor('grpc', 'http') }, ['grpc', 'http']],
      ['the old required', { ...CA, ...OLD }, ['grpc']],
      ['the old required, and http', { ...CA, ...OLD, ...requiredFor('http') }, ['grpc', 'http']],
      ['the old required without an authority, as before', OLD, []],
      ['the old required in plain text, as before', { ...CA, ...OLD, 'tls.mode': 'None' }, []],
    ])('are required by the listeners that are named: %s', async (_, values, listeners) => {
      const rendered = await renderChart(values);
      const config = parseConfig(configOf(rendered), 'config.yaml');
      const requiring = (['grpc', 'http'] as const).filter(
        (name) => config[name].tls.clientCertificateRequired,
      );
      expect(requiring).toEqual(listeners);
      const test = rendered.find(({ kind }) => kind === 'Pod');
      const env = test?.spec.containers[0].env as { name: string; value: string }[];
      const expected = env.find(({ name }) => name === 'CERTIFICATE_REQUIRED')?.value;
      expect(expected).toBe(listeners.length === 0 ? undefined : listeners.join(' '));
    });

    const notesOf = (values: Record<string, unknown>): Promise<string> =>
      helm('install', RELEASE, CHART, '--dry-run=client', '--namespace', 'default', ...valueFlags(values));

    test('are missing at HTTP with the old value, and the notes say what stays open', async () => {
      const notes = await notesOf({ ...CA, ...OLD });
      expect(notes).toContain('client certificates are required for gRPC only');
      for (const open of ['token endpoint', 'introspection', 'revocation', 'discovery', 'JWKS']) {
        expect(notes).toContain(open);
      }
      expect(notes).toContain('required is deprecated');
    });

    test('are missing at gRPC if HTTP alone is named, and the notes say what stays open', async () => {
      expect(await notesOf({ ...CA, ...requiredFor('http') })).toMatch(/for HTTP only.+CreateToken/su);
    });

    test('are required by both listeners, and the notes warn of nothing', async () => {
      expect(await notesOf({ ...CA, ...requiredFor('grpc', 'http') })).not.toContain('WARNING');
    });

    test('do not concern probes and metrics, which have listeners of their own', async () => {
      const values = { ...CA, ...requiredFor('grpc', 'http') };
      const [open, closed] = [await renderChart(), await renderChart(values)];
      const probesOf = (objects: readonly KubeObject[]) => {
        const [container] = named(objects, 'Deployment').spec.template.spec.containers;
        const { startupProbe, livenessProbe, readinessProbe } = container;
        return { startupProbe, livenessProbe, readinessProbe };
      };
      expect(probesOf(closed)).toEqual(probesOf(open));
      for (const { httpGet } of Object.values(probesOf(closed))) {
        expect(httpGet.scheme).toBeUndefined();
        expect(['grpc', 'http']).not.toContain(httpGet.port);
      }
    });
  });

  test('the time to drain fits into the grace period', async () => {
    const { spec } = named(await renderChart(), 'Deployment').spec.template;
    const preStop = spec.containers[0].lifecycle.preStop.sleep.seconds;
    const drains = 3 * 10; // reconcilers, replicas, the rest: runtime/manager.ts
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(preStop + drains);
  });
});

test('the chart, the package and the image carry one version', () => {
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'));
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect({ chart: chart.version, app: chart.appVersion }).toEqual({ chart: version, app: version });
});
