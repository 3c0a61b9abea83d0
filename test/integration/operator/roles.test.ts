import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { KubeRequest } from '../../../operator/kube/client.ts';
import { bodyOf, type KubeObject, testApi } from '../../support/api.ts';
import { applyFiles } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import { requestAs } from '../../support/impersonate.ts';
import { collectionPath, objectPath } from '../../support/resource-path.ts';
import { issuedToken } from '../api/objects.ts';

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

const BOUND = [
  'view',
  'edit',
  'admin',
  'm2moauth-platform-admin',
  'm2moauth-revoker',
  'm2moauth-records-view',
];

beforeAll(async () => {
  namespace = await api.createNamespace('roles');
  await applyFiles(api, [ROLES]);
  for (const role of BOUND) await bind(role);
  // The aggregation is a controller's work.
  await eventually(() => mayUser('edit', 'create', 'tokens'));
  await eventually(() => mayUser('view', 'list', 'tokens'));
  await eventually(() => mayUser('admin', 'create', 'tokens'));
  await eventually(() => mayUser('admin', 'patch', 'issuedtokens'));
  await eventually(() => mayUser('admin', 'delete', 'tokenbatches'));
  await eventually(() => mayUser('edit', 'watch', 'tokenbatches'));
  await eventually(() => mayUser('admin', 'watch', 'issuedtokens'));
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
    ['m2moauth-records-view', 'get', 'issuedtokens'],
    ['m2moauth-records-view', 'list', 'tokenbatches'],
    ['m2moauth-records-view', 'watch', 'issuedtokens'],
    ['edit', 'get', 'issuedtokens'],
    ['edit', 'list', 'issuedtokens'],
    ['admin', 'watch', 'issuedtokens'],
    ['edit', 'patch', 'issuedtokens'],
    ['edit', 'delete', 'issuedtokens'],
    ['admin', 'patch', 'issuedtokens'],
    ['m2moauth-platform-admin', 'list', 'issuedtokens'],
    ['m2moauth-platform-admin', 'patch', 'issuedtokens'],
    ['m2moauth-platform-admin', 'delete', 'issuedtokens'],
    ['m2moauth-revoker', 'get', 'issuedtokens'],
    ['m2moauth-revoker', 'patch', 'issuedtokens/status'],
    ['edit', 'watch', 'tokenbatches'],
    ['edit', 'get', 'tokenbatches'],
    ['edit', 'delete', 'tokenbatches'],
    ['admin', 'delete', 'tokenbatches'],
    ['m2moauth-platform-admin', 'delete', 'tokenbatches'],
    ['m2moauth-revoker', 'patch', 'tokenbatches/status'],
  ])('%s %s %s', async (role, verb, resource) => {
    expect(await mayUser(role, verb, resource)).toBe(true);
  });
});

describe('may not', () => {
  test.each([
    ['view', 'create', 'tokens'],
    ['view', 'get', 'oauthclients'],
    // They have claims of third parties (originalTokenClaims), which RBAC can't hide.
    ['view', 'get', 'issuedtokens'],
    ['view', 'list', 'issuedtokens'],
    ['view', 'watch', 'issuedtokens'],
    ['view', 'get', 'tokenbatches'],
    ['view', 'list', 'tokenbatches'],
    ['view', 'watch', 'tokenbatches'],
    ['m2moauth-records-view', 'get', 'tokens'],
    ['m2moauth-records-view', 'patch', 'issuedtokens'],
    ['m2moauth-records-view', 'delete', 'tokenbatches'],
    ['edit', 'create', 'oauthclients'],
    ['edit', 'patch', 'signingkeys'],
    ['edit', 'patch', 'tokens/status'],
    ['admin', 'create', 'oauthclients'],
    ['admin', 'update', 'tokens/status'],
    ['m2moauth-platform-admin', 'patch', 'tokens/status'],
    ['m2moauth-platform-admin', 'update', 'oauthclients/status'],
    ['m2moauth-revoker', 'update', 'tokens/status'],
    ['m2moauth-revoker', 'patch', 'tokens'],
    ['view', 'patch', 'issuedtokens'],
    ...['view', 'edit', 'admin', 'm2moauth-platform-admin', 'm2moauth-revoker'].flatMap((role) => [
      [role, 'create', 'issuedtokens'] as const,
      [role, 'update', 'issuedtokens'] as const,
      [role, 'update', 'issuedtokens/status'] as const,
      [role, 'create', 'tokenbatches'] as const,
      [role, 'update', 'tokenbatches'] as const,
      [role, 'patch', 'tokenbatches'] as const,
      [role, 'update', 'tokenbatches/status'] as const,
    ]),
    ['view', 'delete', 'tokenbatches'],
    ['admin', 'patch', 'tokenbatches/status'],
    ['m2moauth-revoker', 'delete', 'tokenbatches'],
    ['edit', 'patch', 'issuedtokens/status'],
    ['admin', 'patch', 'issuedtokens/status'],
    ['m2moauth-platform-admin', 'patch', 'issuedtokens/status'],
    ['m2moauth-revoker', 'delete', 'issuedtokens'],
    ['m2moauth-revoker', 'patch', 'issuedtokens'],
  ])('%s %s %s', async (role, verb, resource) => {
    expect(await mayUser(role, verb, resource)).toBe(false);
  });
});

describe('the record of an issued token', () => {
  let record: KubeObject;
  beforeEach(async () => {
    const { metadata, ...rest } = issuedToken({}, { namespace, name: randomUUID() });
    record = bodyOf(await api.create({ ...rest, metadata } as typeof rest & { metadata: never }));
  });

  /** What the API server answers to a user with a role: `ok`, or the status of its rejection. */
  const tryAs = async (role: string, request: KubeRequest): Promise<'ok' | number> =>
    (await requestAs(`a-${role}`, request)).status;
  const merge = (body: object, subresource?: 'status'): KubeRequest => ({
    verb: 'patch',
    path: objectPath(record, subresource),
    contentType: 'application/merge-patch+json',
    body,
  });
  const revoked = { spec: { revoked: true } };
  const blacklisted = { status: { blacklisted: { flag: true, timestamp: '2026-01-01T00:00:00Z' } } };

  test.each(['edit', 'admin', 'm2moauth-platform-admin'])(
    'is revoked by a patch of its spec: %s',
    async (role) => {
      expect(await tryAs(role, merge(revoked))).toBe('ok');
      expect(bodyOf(await api.get(record)).spec.revoked).toBe(true);
    },
  );

  test.each(['view', 'm2moauth-revoker'])('is not revoked by a patch of its spec: %s', async (role) => {
    expect(await tryAs(role, merge(revoked))).toBe(403);
  });

  test('is revoked by a patch of its status by a revoker alone', async () => {
    for (const role of ['view', 'edit', 'admin', 'm2moauth-platform-admin']) {
      expect(await tryAs(role, merge(blacklisted, 'status'))).toBe(403);
    }
    expect(await tryAs('m2moauth-revoker', merge(blacklisted, 'status'))).toBe('ok');
  });

  test('can’t be revoked through a patch of the whole by its status', async () => {
    expect(await tryAs('edit', merge(blacklisted))).toBe('ok');
    expect(bodyOf(await api.get(record)).status).toBeUndefined();
  });

  test('keeps the rest of its spec, whoever patches it', async () => {
    for (const change of [
      { owner: 'mallory' },
      { expiration: '2099-01-01T00:00:00Z' },
      { revoked: null, scope: ['a'] },
    ]) {
      expect(await tryAs('edit', merge({ spec: change }))).toBe(422);
    }
  });

  test('is not made by any client: not by a create, a replacement or an apply', async () => {
    const made = { ...issuedToken({}, { namespace, name: randomUUID() }) };
    for (const role of BOUND) {
      expect(await tryAs(role, { verb: 'create', path: collectionPath(made), body: made })).toBe(403);
      expect(await tryAs(role, { verb: 'update', path: objectPath(made), body: made })).toBe(403);
      const apply = {
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: 'mallory', force: true },
      };
      expect(await tryAs(role, { verb: 'patch', path: objectPath(made), body: made, ...apply })).toBe(403);
    }
    expect((await api.get(made)).status).toBe(404);
  });

  test.each([
    ['edit', 'ok'],
    ['view', 403],
    ['m2moauth-revoker', 403],
  ] as const)('is deleted by %s: %s', async (role, answer) => {
    expect(await tryAs(role, { verb: 'delete', path: objectPath(record) })).toBe(answer);
  });
});
