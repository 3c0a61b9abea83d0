/** The fields of an object that its URL is made of. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

interface Resource {
  readonly plural: string;
  readonly namespaced: boolean;
}

const namespaced = (plural: string): Resource => ({ plural, namespaced: true });
const clusterWide = (plural: string): Resource => ({ plural, namespaced: false });

/** Every kind that tests and samples touch, by group; served versions share a row. */
const resources: Readonly<Record<string, Readonly<Record<string, Resource>>>> = {
  '': {
    ConfigMap: namespaced('configmaps'),
    Event: namespaced('events'),
    Namespace: clusterWide('namespaces'),
    Node: clusterWide('nodes'),
    Pod: namespaced('pods'),
    ResourceQuota: namespaced('resourcequotas'),
    Secret: namespaced('secrets'),
    Service: namespaced('services'),
    ServiceAccount: namespaced('serviceaccounts'),
  },
  'admissionregistration.k8s.io': {
    MutatingAdmissionPolicy: clusterWide('mutatingadmissionpolicies'),
    MutatingAdmissionPolicyBinding: clusterWide('mutatingadmissionpolicybindings'),
    ValidatingAdmissionPolicy: clusterWide('validatingadmissionpolicies'),
    ValidatingAdmissionPolicyBinding: clusterWide('validatingadmissionpolicybindings'),
  },
  'apiextensions.k8s.io': { CustomResourceDefinition: clusterWide('customresourcedefinitions') },
  apps: { Deployment: namespaced('deployments') },
  'authentication.k8s.io': { TokenReview: clusterWide('tokenreviews') },
  'authorization.k8s.io': { SubjectAccessReview: clusterWide('subjectaccessreviews') },
  'cert-manager.io': { Certificate: namespaced('certificates') },
  'coordination.k8s.io': { Lease: namespaced('leases') },
  'events.k8s.io': { Event: namespaced('events') },
  'gateway.networking.k8s.io': {
    GRPCRoute: namespaced('grpcroutes'),
    HTTPRoute: namespaced('httproutes'),
  },
  'm2moauth.dev': {
    IssuedToken: namespaced('issuedtokens'),
    OAuthClient: namespaced('oauthclients'),
    SigningKey: namespaced('signingkeys'),
    Token: namespaced('tokens'),
    TokenBatch: namespaced('tokenbatches'),
  },
  // A copy of the CRD, which a test upgrades from one revision to the next.
  'upgraded.m2moauth.dev': { OAuthClient: namespaced('oauthclients') },
  autoscaling: { HorizontalPodAutoscaler: namespaced('horizontalpodautoscalers') },
  'flowcontrol.apiserver.k8s.io': {
    FlowSchema: clusterWide('flowschemas'),
    PriorityLevelConfiguration: clusterWide('prioritylevelconfigurations'),
  },
  'monitoring.coreos.com': {
    PrometheusRule: namespaced('prometheusrules'),
    ServiceMonitor: namespaced('servicemonitors'),
  },
  'networking.k8s.io': {
    Ingress: namespaced('ingresses'),
    NetworkPolicy: namespaced('networkpolicies'),
  },
  policy: { PodDisruptionBudget: namespaced('poddisruptionbudgets') },
  'rbac.authorization.k8s.io': {
    ClusterRole: clusterWide('clusterroles'),
    ClusterRoleBinding: clusterWide('clusterrolebindings'),
    Role: namespaced('roles'),
    RoleBinding: namespaced('rolebindings'),
  },
};

/**
 * The URL path of an object's collection: of its namespace, or of all namespaces where it names none.
 * @throws Error for a kind that is not in the table.
 */
export function collectionPath({ apiVersion, kind, metadata }: ObjectRef): string {
  const [version, group = ''] = apiVersion.split('/').reverse();
  const resource = resources[group]?.[kind];
  if (!resource) throw new Error(`resource-path.ts knows no ${kind} of ${apiVersion}; add it to the table`);
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  const namespace = resource.namespaced && metadata?.namespace;
  return namespace ? `${root}/namespaces/${namespace}/${resource.plural}` : `${root}/${resource.plural}`;
}

/**
 * The URL path of one object, with a subresource at will.
 * @throws Error where the name is missing, or the namespace of a namespaced kind.
 */
export function objectPath(ref: ObjectRef, subresource?: 'status' | 'scale' | 'token'): string {
  const { name, namespace } = ref.metadata ?? {};
  if (!name) throw new Error(`${ref.kind} without metadata.name`);
  const [, group = ''] = ref.apiVersion.split('/').reverse();
  if (resources[group]?.[ref.kind]?.namespaced && !namespace) {
    throw new Error(`${ref.kind} ${name} without metadata.namespace`);
  }
  return `${collectionPath(ref)}/${name}${subresource ? `/${subresource}` : ''}`;
}
