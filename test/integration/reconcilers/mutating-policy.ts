import { expect } from '@jest/globals';
import { bodyOf, type Ref, type TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';

const API = 'admissionregistration.k8s.io/v1';

/** What a policy does to Secrets: a CEL expression of a list of JSONPatch, and a name that shows whether it works. */
export interface Mutation {
  readonly patch: string;
  readonly operations?: readonly ('CREATE' | 'UPDATE')[];
}

const PROBE = 'example.com/probe';

const policyOf = (name: string, { patch, operations = ['CREATE', 'UPDATE'] }: Mutation): Ref => ({
  apiVersion: API,
  kind: 'MutatingAdmissionPolicy',
  metadata: { name },
  spec: {
    matchConstraints: {
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations, resources: ['secrets'] }],
    },
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    mutations: [
      { patchType: 'JSONPatch', jsonPatch: { expression: patch } },
      {
        patchType: 'JSONPatch',
        jsonPatch: {
          expression: `object.metadata.name != "probe" ? [] : [JSONPatch{op: "add", path: "/metadata/annotations", value: {"${PROBE}": "seen"}}]`,
        },
      },
    ],
  },
});

/** Installs a MutatingAdmissionPolicy for the Secrets of a namespace, and waits until it works; it is removed at the end of its scope. */
export const mutateSecrets = async (
  api: TestApi,
  namespace: string,
  mutation: Mutation,
): Promise<AsyncDisposable> => {
  const policy = policyOf(namespace, mutation);
  const binding: Ref = {
    apiVersion: API,
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name: namespace },
    spec: {
      policyName: namespace,
      matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
    },
  };
  bodyOf(await api.create(policy));
  bodyOf(await api.create(binding));
  const probe = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: 'probe' } };
  await eventually(async () => {
    const seen = bodyOf(await api.create(probe, { query: { dryRun: 'All' } }));
    expect(seen.metadata.annotations).toHaveProperty([PROBE], 'seen');
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await api.delete(binding);
      await api.delete(policy);
    },
  };
};

const escaped = (name: string): string => `jsonpatch.escapeKey("${name}")`;

/** Sets an entry of a map of the metadata, which the policy creates if it is missing. */
export const setEntry = (map: 'labels' | 'annotations', name: string, value: string): string =>
  `(has(object.metadata.${map}) ? [] : [JSONPatch{op: "add", path: "/metadata/${map}", value: {}}]) + [JSONPatch{op: "add", path: "/metadata/${map}/" + ${escaped(name)}, value: "${value}"}]`;

/** Removes an entry of a map of the metadata. */
export const removeEntry = (map: 'labels' | 'annotations', name: string): string =>
  `has(object.metadata.${map}) && "${name}" in object.metadata.${map} ? [JSONPatch{op: "remove", path: "/metadata/${map}/" + ${escaped(name)}}] : []`;

/** Removes a field of the metadata. */
export const removeField = (field: 'labels' | 'annotations' | 'ownerReferences'): string =>
  `has(object.metadata.${field}) ? [JSONPatch{op: "remove", path: "/metadata/${field}"}] : []`;
