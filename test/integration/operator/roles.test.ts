import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf, testApi } from '../../support/api.ts';
import { applyFiles } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';

/** What operator/deploy/roles.yaml gives to people, asked of the API server's own authorizer. */

const ROLES = join(import.meta.dirname, '../../../operator/deploy/roles.yaml');
const api = testApi();
let namespace: string;

const mayUser = async (role: string, verb: string, resource: string): Promise<boolean> => {
  const [name = '', subresource] = resource.split('/');
  const review = await api.create({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: `a-${role}`,
      resourceAttributes: { namespace, verb, group: 'm2moauth.dev', resource: name, subresource },
    },
  });
  return bodyOf(review).status.allowed;
};

const bind = async (role: string): Promise<void> => {
  bodyOf(
    await api.create({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: role, namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: `a-${role}` }],
    }),
  );
};

const BOUND = ['view', 'edit', 'admin', 'm2moauth-platform-admin', 'm2moauth-revoker'];

beforeAll(async () => {
  namespace = await api.createNamespace('roles');
  await applyFiles(api, [ROLES]);
  for (const role of BOUND) await bind(role);
  // The aggregation is a controller's work.
  await eventually(() => mayUser('edit', 'create', 'tokens'));
  await eventually(() => mayUser('view', 'list', 'tokens'));
  await eventually(() => mayUser('admin', 'create', 'tokens'));
}, 60_000);
afterAll(() => api.close());

describe('may', () => {
  test.each([
    ['view', 'get', 'tokens'],
    ['edit', 'patch', 'tokens'],
    ['admin', 'delete', 'tokens'],
    ['m2moauth-platform-admin', 'create', 'oauthclients'],
    ['m2moauth-platform-admin', 'patch', 'signingkeys'],
    ['m2moauth-revoker', 'patch', 'tokens/status'],
  ])('%s %s %s', async (role, verb, resource) => {
    expect(await mayUser(role, verb, resource)).toBe(true);
  });
});

describe('may not', () => {
  test.each([
    ['view', 'create', 'tokens'],
    ['view', 'get', 'oauthclients'],
    ['edit', 'create', 'oauthclients'],
    ['edit', 'patch', 'signingkeys'],
    ['edit', 'patch', 'tokens/status'],
    ['admin', 'create', 'oauthclients'],
    ['admin', 'update', 'tokens/status'],
    ['m2moauth-platform-admin', 'patch', 'tokens/status'],
    ['m2moauth-platform-admin', 'update', 'oauthclients/status'],
    ['m2moauth-revoker', 'update', 'tokens/status'],
    ['m2moauth-revoker', 'patch', 'tokens'],
  ])('%s %s %s', async (role, verb, resource) => {
    expect(await mayUser(role, verb, resource)).toBe(false);
  });
});
