import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../../..');
/** The values for hardened installations that the chart ships. */
const hardened = parse(readFileSync(join(ROOT, 'charts/m2m-oauth-operator/values-hardened.yaml'), 'utf8'));

const openshift = parse(readFileSync(join(ROOT, 'charts/m2m-oauth-operator/values-openshift.yaml'), 'utf8'));

/** Values that between them reach every branch of every template; each name says what a platform team wants. */
export const VALUES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'the defaults': {},
  'two namespaces alone': { watchNamespaces: ['team-a', 'team-b'] },
  'its own namespace alone': { watchNamespaces: ['m2m-oauth-system'] },
  'without rights to create cluster roles': {
    watchNamespaces: ['team-a'],
    'rbac.tokenReviews': false,
    'rbac.namespaces': false,
    'rbac.crds': false,
    'rbac.aggregatedRoles': false,
    'flowControl.create': false,
    'crds.install': false,
  },
  'a second release, which has no roles of its own': {
    watchNamespaces: ['team-b'],
    'rbac.aggregatedRoles': false,
    'rbac.statusPolicy': 'Always',
    'rbac.statusWriters': ['system:serviceaccount:velero:velero'],
  },
  'owners and client IDs tied to namespaces': {
    'ownerPolicy.enabled': true,
    'ownerPolicy.separator': '.',
    'ownerPolicy.excludedNamespaces': ['platform'],
  },
  'without admission policies': { 'rbac.statusPolicy': 'Never' },
  'plain text behind a mesh': { 'tls.mode': 'None' },
  'a user-provided certificate and client certificates': {
    'tls.mode': 'Secret',
    'tls.secretName': 'servers',
    'tls.clientCertificates.caSecretName': 'clients',
    'tls.clientCertificates.required': true,
  },
  'client certificates for both listeners': {
    'tls.clientCertificates.caSecretName': 'clients',
    'tls.clientCertificates.requiredFor': ['grpc', 'http'],
    'tls.clientCertificates.testSecretName': 'test-client',
  },
  'client certificates for HTTP alone': {
    'tls.clientCertificates.caSecretName': 'clients',
    'tls.clientCertificates.requiredFor': ['http'],
  },
  'a certificate by cert-manager': {
    'tls.mode': 'CertManager',
    'tls.certManager.issuerRef.name': 'platform',
    'tls.dnsNames': ['tokens.example.com'],
  },
  'everything watched and drawn': {
    'serviceMonitor.enabled': true,
    'serviceMonitor.labels': { release: 'prometheus' },
    'prometheusRule.enabled': true,
    'dashboard.enabled': true,
  },
  'a narrow network': {
    'networkPolicy.enabled': true,
    'networkPolicy.doorsFrom': [{ namespaceSelector: { matchLabels: { team: 'a' } } }],
    'networkPolicy.metricsFrom': [{ namespaceSelector: {} }],
    'networkPolicy.extraEgress': [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
  },
  'hardened, by the file in the chart': hardened,
  'for OpenShift, by the file in the chart': openshift,
  'exposed by an Ingress': {
    'ingress.enabled': true,
    'ingress.host': 'tokens.example.com',
    'ingress.className': 'nginx',
    'ingress.tlsSecretName': 'tokens',
    'ingress.annotations': { 'nginx.ingress.kubernetes.io/backend-protocol': 'HTTPS' },
  },
  'exposed by a Gateway': {
    'gateway.enabled': true,
    'gateway.host': 'tokens.example.com',
    'gateway.parentRefs': [{ name: 'public', namespace: 'gateways' }],
  },
  'as many replicas as it needs': { 'autoscaling.enabled': true },
  'one replica': { replicaCount: 1 },
  'another name, labels and image': {
    fullnameOverride: 'tokens',
    commonLabels: { team: 'platform' },
    commonAnnotations: { 'example.com/owner': 'platform' },
    'image.digest': `sha256:${'0'.repeat(64)}`,
    imagePullSecrets: [{ name: 'registry' }],
    podLabels: { tier: 'security' },
    podAnnotations: { 'example.com/scrape': 'true' },
    'serviceAccount.create': false,
    'serviceAccount.name': 'tokens',
    'service.type': 'LoadBalancer',
    'service.annotations': { 'example.com/internal': 'true' },
    'service.extraSpec': { externalTrafficPolicy: 'Local' },
  },
  'placed and extended': {
    priorityClassName: 'system-cluster-critical',
    nodeSelector: { pool: 'security' },
    tolerations: [{ key: 'pool', operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
    ],
    extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=384' }],
    extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }],
    extraVolumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }],
    'config.outbound.caFile': '/etc/ca/ca.crt',
    preStopSeconds: 0,
  },
};
