import { z } from 'zod';

const text = z.string();
const name = z.string().max(253);
const labels = z.record(z.string(), z.string());
const annotations = z.record(z.string(), z.string());
const count = z.int().min(0);
const namespaceName = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u);
const port = z.int().min(1).max(65_535);
const duration = z.string().regex(/^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/u);
/** Fields that Kubernetes validates, and extends in later versions. */
const kubernetesObject = z.record(z.string(), z.unknown());
const kubernetesObjects = z.array(kubernetesObject);

const image = z.strictObject({
  repository: z.string().min(1),
  tag: z.string().max(128),
  digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/u),
  pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
});

const atOnce = z.int().min(1).max(1_000_000);

const config = z.strictObject({
  log: z.strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error']) }),
  issuer: z.strictObject({
    url: z.string().regex(/^(https?:\/\/[^?#]*[^/?#])?$/u),
    previousURLs: z.array(z.string().regex(/^https?:\/\/[^?#]*[^/?#]$/u)).max(8),
    ownerClaim: z.string().min(1).max(253),
    deviceIDClaim: name,
    signingKey: z.string().min(1).max(253),
    jwks: z.enum(['All', 'SigningKey']).optional(),
    tokenType: z.enum(['at+jwt', 'JWT']),
    backdate: duration,
  }),
  cors: z.strictObject({ origins: z.array(z.string().min(1)).max(100) }),
  trustedProxies: z.array(text).max(100),
  authorization: z.strictObject({
    issuedTokens: z.strictObject({ access: z.enum(['Owner', 'Self']), scope: text, audience: text }),
    endpoints: z
      .array(
        z.strictObject({
          authority: z.string().regex(/^https:\/\//u),
          audience: z.string().min(1),
          ownerPrefix: text.optional(),
          caFile: text.optional(),
          additionalTypes: z.array(z.string().min(1).max(128)).max(8).optional(),
          alsoAssertions: z.boolean().optional(),
        }),
      )
      .max(32),
  }),
  outbound: z.strictObject({ caFile: text, allowedCIDRs: z.array(text).max(100) }),
  garbageCollection: z.strictObject({ ttlAfterExpiry: duration, ttlAfterBlacklisted: duration }),
  leaderElection: z.strictObject({ leaseDuration: duration, renewDeadline: duration, retryPeriod: duration }),
  limits: z.strictObject({
    connections: atOnce,
    perAddress: z.strictObject({
      connections: atOnce,
      connectionsPerSecond: atOnce,
      streams: atOnce,
      unfinishedRequests: atOnce,
      healthWatches: atOnce,
    }),
    perClient: z.strictObject({
      tokensPerSecond: z.int().min(0).max(100_000),
      burst: z.int().min(0).max(100_000),
      activeTokens: z.int().min(0).max(10_000_000),
    }),
    memoryWatermark: z.int().min(0).max(100),
  }),
});

const tls = z.strictObject({
  mode: z.enum(['SelfSigned', 'Secret', 'CertManager', 'None']),
  secretName: name,
  dnsNames: z.array(z.string().min(1)).max(100),
  selfSigned: z.strictObject({ days: z.int().min(1).max(36_500) }),
  certManager: z.strictObject({
    issuerRef: z.strictObject({ name, kind: z.string(), group: z.string() }),
    duration,
    renewBefore: duration,
  }),
  clientCertificates: z.strictObject({
    caSecretName: name,
    requiredFor: z.array(z.enum(['grpc', 'http'])).max(2),
    required: z.boolean(),
    testSecretName: name,
  }),
});

const monitoring = {
  serviceMonitor: z.strictObject({ enabled: z.boolean(), interval: duration, labels }),
  prometheusRule: z.strictObject({ enabled: z.boolean(), labels }),
  dashboard: z.strictObject({ enabled: z.boolean(), labels }),
};

const routes = {
  ingress: z.strictObject({
    enabled: z.boolean(),
    className: name,
    host: name,
    tlsSecretName: name,
    annotations,
  }),
  gateway: z.strictObject({ enabled: z.boolean(), parentRefs: kubernetesObjects, host: name, annotations }),
};

const pods = {
  resources: kubernetesObject,
  preStopSeconds: z.int().min(0).max(300),
  terminationGracePeriodSeconds: z.int().min(1).max(3600),
  podDisruptionBudget: z.strictObject({
    create: z.boolean(),
    maxUnavailable: z.union([count, z.string().regex(/^[0-9]+%$/u)]),
  }),
  topologySpreadConstraints: kubernetesObjects,
  nodeSelector: labels,
  tolerations: kubernetesObjects,
  affinity: kubernetesObject,
  priorityClassName: name,
  podSecurityContext: kubernetesObject,
  securityContext: kubernetesObject,
  podLabels: labels,
  podAnnotations: annotations,
  extraEnv: kubernetesObjects,
  extraVolumes: kubernetesObjects,
  extraVolumeMounts: kubernetesObjects,
};

const access = {
  rbac: z.strictObject({
    create: z.boolean(),
    tokenReviews: z.boolean(),
    namespaces: z.boolean(),
    crds: z.boolean(),
    installations: z.enum(['Auto', 'Always', 'Never']),
    aggregatedRoles: z.boolean(),
    statusPolicy: z.enum(['WithRoles', 'Always', 'Never']),
    statusWriters: z.array(z.string().min(1).max(253)).max(100),
  }),
  ownerPolicy: z.strictObject({
    enabled: z.boolean(),
    separator: z.enum(['/', '.', ':', '_', '@', '|', '~']),
    excludedNamespaces: z.array(namespaceName).max(100),
  }),
  serviceAccount: z.strictObject({ create: z.boolean(), name, annotations }),
  flowControl: z.strictObject({
    create: z.boolean(),
    concurrencyShares: z.int().min(1),
    matchingPrecedence: z.int().min(1).max(9_999),
  }),
  networkPolicy: z.strictObject({
    enabled: z.boolean(),
    doorsFrom: kubernetesObjects,
    metricsFrom: kubernetesObjects,
    apiServerPorts: z.array(port),
    extraEgress: kubernetesObjects,
  }),
};

/** The chart's values. Unknown keys are rejected, so that a misspelled one is not ignored. */
export const valuesSchema = z.strictObject({
  /** Helm adds it to the values of every chart. */
  global: kubernetesObject.optional(),
  replicaCount: count,
  image,
  imagePullSecrets: z.array(z.strictObject({ name })),
  nameOverride: z.string().max(50),
  fullnameOverride: z.string().max(50),
  commonLabels: labels,
  commonAnnotations: annotations,
  watchNamespaces: z.array(namespaceName).max(100),
  config,
  tls,
  service: z.strictObject({
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']),
    grpcPort: port,
    httpPort: port,
    annotations,
    extraSpec: kubernetesObject,
  }),
  signingKey: z.strictObject({ create: z.boolean(), spec: kubernetesObject }),
  crds: z.strictObject({ install: z.boolean(), keep: z.boolean() }),
  autoscaling: z.strictObject({
    enabled: z.boolean(),
    minReplicas: z.int().min(1),
    maxReplicas: z.int().min(1),
    targetCPUUtilizationPercentage: z.int().min(1).max(100),
  }),
  ...access,
  ...pods,
  ...monitoring,
  ...routes,
});
