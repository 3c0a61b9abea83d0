import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { KubeRequest } from '../../../operator/kube/client.ts';
import { bodyOf, type KubeObject, type Ref, testApi } from '../../support/api.ts';
import { applyFiles, applyObjects, readObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import { requestAs } from '../../support/impersonate.ts';
import { collectionPath, objectPath } from '../../support/resource-path.ts';
import { client, issuedToken, key, token, tokenBatch } from '../api/objects.ts';

/** The admission policy of operator/deploy/roles.yaml, asked of a real API server by users with real roles. */

const ROOT = join(import.meta.dirname, '../../..');
const DEPLOY = join(ROOT, 'operator/deploy');
const OPERATOR = 'system:serviceaccount:m2m-oauth-system:m2m-oauth-operator';
const RBAC = 'rbac.authorization.k8s.io';
const api = testApi();
let namespace: string;

/** Users of the namespace under test: the role, who may do all but update, who may do everything in it, and everywhere. */
const [REVOKER, PATCHER, WILDCARD, CLUSTER_ADMIN] = [
  'an-incident-responder',
  'a-namespace-patcher',
  'a-namespace-wildcard',
  'a-cluster-admin',
];
/** The rights of the operator, held by ServiceAccounts and in namespaces that the manifests do not name. */
const [ELSEWHERE, WATCHING] = [
  'system:serviceaccount:elsewhere:tokens',
  'system:serviceaccount:elsewhere:watching',
];
/** May update the status of Tokens alone, and patch those of all kinds. */
const TOKEN_UPDATER = 'an-updater-of-tokens';
const serviceAccount = (user: string) => {
  const [, , of, name] = user.split(':');
  return [{ kind: 'ServiceAccount', name, namespace: of }];
};

const binding = (kind: string, name: string, role: { kind: string; name: string }): Ref => ({
  apiVersion: `${RBAC}/v1`,
  kind,
  metadata: { name: `${name}-status-policy`, ...(kind === 'RoleBinding' && { namespace }) },
  roleRef: { apiGroup: RBAC, ...role },
  subjects: [{ apiGroup: RBAC, kind: 'User', name }],
});

const patchStatus = (object: Ref, status: object | null): KubeRequest => ({
  verb: 'patch',
  path: objectPath(object, 'status'),
  contentType: 'application/merge-patch+json',
  body: { status },
});

beforeAll(async () => {
  namespace = await api.createNamespace('status-policy');
  await applyFiles(api, [DEPLOY]);
  const everything = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
  const allButUpdate = ['get', 'list', 'watch', 'create', 'patch', 'delete', 'deletecollection'];
  const role = (name: string, rules: readonly object[]): Ref[] =>
    [
      { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata: { name, namespace }, rules },
      binding('RoleBinding', name, { kind: 'Role', name }),
    ] as Ref[];
  await applyObjects(api, [
    binding('RoleBinding', REVOKER, { kind: 'ClusterRole', name: 'm2moauth-revoker' }),
    ...role(WILDCARD, everything),
    ...role(TOKEN_UPDATER, [
      { apiGroups: ['m2moauth.dev'], resources: ['*/status'], verbs: ['patch'] },
      { apiGroups: ['m2moauth.dev'], resources: ['tokens/status'], verbs: ['update'] },
    ]),
    {
      ...binding('ClusterRoleBinding', 'elsewhere', { kind: 'ClusterRole', name: 'm2m-oauth-operator' }),
      subjects: serviceAccount(ELSEWHERE),
    },
    {
      ...binding('RoleBinding', 'watching', { kind: 'ClusterRole', name: 'm2m-oauth-operator' }),
      subjects: serviceAccount(WATCHING),
    },
    binding('ClusterRoleBinding', CLUSTER_ADMIN, { kind: 'ClusterRole', name: 'cluster-admin' }),
    // The operator writes SigningKeys of its own namespace only.
    {
      ...binding('RoleBinding', 'operator', { kind: 'Role', name: WILDCARD }),
      subjects: serviceAccount(OPERATOR),
    },
    // Last: who finds this role in effect finds those above too.
    ...role(PATCHER, [{ apiGroups: ['*'], resources: ['*'], verbs: allButUpdate }]),
  ]);
  const probe = client({}, { namespace, name: 'probe' });
  bodyOf(await api.create(probe));
  for (const user of [ELSEWHERE, CLUSTER_ADMIN]) {
    const list: KubeRequest = { verb: 'list', path: collectionPath(probe) };
    await eventually(async () => (await requestAs(user, list)).status === 'ok');
  }
  // The API server takes a while to enforce a new policy; until then each write has to be a change.
  let observedGeneration = 0;
  await eventually(
    async () => {
      observedGeneration += 1;
      const { message } = await requestAs(PATCHER, patchStatus(probe, { observedGeneration }));
      return message.includes('m2m-oauth-operator-status');
    },
    { timeoutMs: 30_000 },
  );
}, 90_000);
afterAll(async () => {
  for (const name of [CLUSTER_ADMIN, 'elsewhere']) {
    await api.delete(binding('ClusterRoleBinding', name, { kind: 'ClusterRole', name: 'cluster-admin' }));
  }
  await api.close();
});

const REVOKED_AT = '2026-01-01T00:00:00Z';
const blacklisted = { flag: true, timestamp: REVOKED_AT };
const condition = {
  type: 'Ready',
  status: 'True',
  reason: 'Issued',
  message: 'issued',
  lastTransitionTime: REVOKED_AT,
};
const TOKEN_STATUS = {
  id: 'a',
  version: 3,
  issuance: 1,
  owner: 'alice',
  subject: 'alice',
  clientID: 'app',
  clientUID: 'uid',
  keyID: 'kid',
  audience: ['https://api.example.com'],
  issuedAt: REVOKED_AT,
  expiration: '2099-01-01T00:00:00Z',
  originalTokenClaims: { email: 'alice@example.com' },
  claimsDigest: 'digest',
  previous: [{ id: 'b', issuedAt: REVOKED_AT, expiration: '2099-01-01T00:00:00Z', keyID: 'kid' }],
  secretRef: { name: 'secret' },
  observedGeneration: 1,
  conditions: [condition],
};
/** What the operator writes for each kind that can be revoked, and a patch that revokes. */
const REVOCABLE = {
  Token: { make: token, status: TOKEN_STATUS, revocation: { blacklisted, version: 4 } },
  IssuedToken: { make: issuedToken, status: undefined, revocation: { blacklisted, version: 1 } },
  TokenBatch: {
    make: tokenBatch,
    status: { version: 1, blacklisted: { 0: REVOKED_AT }, blacklistedCount: 1, deleted: [0] },
    revocation: { blacklisted: { 1: REVOKED_AT }, blacklistedCount: 2, version: 2 },
  },
} as const;
type Revocable = keyof typeof REVOCABLE;
const KINDS = Object.keys(REVOCABLE) as Revocable[];

/** An object whose status the operator has written. */
const written = async (object: Ref, status: object | undefined): Promise<KubeObject> => {
  const made = bodyOf(await api.create(object));
  if (status === undefined) return made;
  const request = { verb: 'update', path: objectPath(made, 'status'), body: { ...made, status } } as const;
  expect(await requestAs(OPERATOR, request)).toEqual({ status: 'ok', message: '' });
  return bodyOf(await api.get(made));
};
const revocable = (kind: Revocable): Promise<KubeObject> => {
  const { make, status } = REVOCABLE[kind];
  return written(make({}, { namespace, name: randomUUID() }), status);
};

const statusOf = async (ref: Ref) => bodyOf(await api.get(ref)).status;

describe.each(KINDS)('a revoker of a %s', (kind) => {
  let object: KubeObject;
  beforeEach(async () => {
    object = await revocable(kind);
  });

  test('revokes it, with and without the counts', async () => {
    const { revocation, status } = REVOCABLE[kind];
    const { version: _, ...alone } = revocation;
    const other = await revocable(kind);
    expect(await requestAs(REVOKER, patchStatus(object, revocation))).toMatchObject({ status: 'ok' });
    expect(await requestAs(REVOKER, patchStatus(other, alone))).toMatchObject({ status: 'ok' });
    const revoked = kind === 'TokenBatch' ? { 0: REVOKED_AT, 1: REVOKED_AT } : blacklisted;
    expect(await statusOf(object)).toEqual({ ...status, ...revocation, blacklisted: revoked });
    expect(await statusOf(other)).toEqual({ ...status, ...alone, blacklisted: revoked });
  });

  test('changes the version only by one, and only together with a revocation', async () => {
    const { version = 0 } = object.status ?? {};
    const { revocation } = REVOCABLE[kind];
    for (const status of [
      { version: version + 1 },
      { ...revocation, version: version + 2 },
      { ...revocation, version: 9_007_199_254_740_991 },
    ]) {
      expect(await requestAs(REVOKER, patchStatus(object, status))).toMatchObject({ status: 403 });
    }
    expect(await statusOf(object)).toEqual(object.status);
  });

  test('does not remove the status', async () => {
    const { revocation } = REVOCABLE[kind];
    expect(await requestAs(REVOKER, patchStatus(object, revocation))).toMatchObject({ status: 'ok' });
    const before = await statusOf(object);
    const { status } = await requestAs(REVOKER, patchStatus(object, null));
    expect([403, 422]).toContain(status);
    expect(await statusOf(object)).toEqual(before);
  });
});

describe('a revoker', () => {
  const changes: [Revocable, string, object][] = [
    ...Object.keys(TOKEN_STATUS)
      .filter((field) => field !== 'version')
      .map((field): [Revocable, string, object] => ['Token', `no ${field}`, { [field]: null }]),
    ['Token', 'another id', { id: 'b' }],
    ['Token', 'another keyID', { keyID: 'other' }],
    ['Token', 'no previous JWTs', { previous: [] }],
    ['Token', 'another claimsDigest', { claimsDigest: 'other' }],
    ['Token', 'another Secret', { secretRef: { name: 'other' } }],
    ['Token', 'another condition', { conditions: [{ ...condition, status: 'False' }] }],
    ['Token', 'a handled renewal', { lastHandledRenew: 'now' }],
    ['Token', 'a renewal time', { renewalTime: '2099-01-01T00:00:00Z' }],
    ['Token', 'a flag that is false', { blacklisted: { flag: false, timestamp: REVOKED_AT } }],
    ['Token', 'a lower version', { version: 2 }],
    ['IssuedToken', 'a flag that is false', { blacklisted: { flag: false, timestamp: REVOKED_AT } }],
    ['TokenBatch', 'a deleted position', { deleted: [0, 1] }],
    ['TokenBatch', 'no deleted positions', { deleted: null }],
    ['TokenBatch', 'a count without a revocation', { blacklistedCount: 0 }],
    ['TokenBatch', 'a position that it does not have', { blacklisted: { 2: REVOKED_AT } }],
    ['TokenBatch', 'a position in another notation', { blacklisted: { '01': REVOKED_AT } }],
    ['TokenBatch', 'a position that is no number', { blacklisted: { x: REVOKED_AT } }],
  ];
  test.each(changes)('can’t write to a %s: %s', async (kind, _, status) => {
    const object = await revocable(kind);
    const alone = await requestAs(REVOKER, patchStatus(object, status));
    expect([403, 422]).toContain(alone.status);
    const revocation = { ...REVOCABLE[kind].revocation, ...status };
    expect([403, 422]).toContain((await requestAs(REVOKER, patchStatus(object, revocation))).status);
    expect(await statusOf(object)).toEqual(object.status);
  });

  test('reads which field it may not change', async () => {
    const object = await revocable('Token');
    const { message } = await requestAs(REVOKER, patchStatus(object, { keyID: 'x', blacklisted }));
    expect(message).toContain(
      'only the operator may change status.keyID: others may only add to status.blacklisted',
    );
  });
});

/** A field that only the operator writes. */
const fieldOf = (kind: Revocable) => (kind === 'TokenBatch' ? { deleted: [0, 1] } : { version: 7 });

describe('whoever may patch every status, and update none', () => {
  test.each(KINDS)('only revokes: %s', async (kind) => {
    const object = await revocable(kind);
    expect(await requestAs(PATCHER, patchStatus(object, fieldOf(kind)))).toMatchObject({ status: 403 });
    const { revocation } = REVOCABLE[kind];
    expect(await requestAs(PATCHER, patchStatus(object, revocation))).toMatchObject({ status: 'ok' });
  });

  test.each([
    ['OAuthClient', client, { clientID: 'somebody-else' }],
    ['SigningKey', key, { observedGeneration: 7 }],
  ] as const)('writes nothing to a %s', async (_, make, status) => {
    const object = await written(make({}, { namespace, name: randomUUID() }), { observedGeneration: 1 });
    expect(await requestAs(PATCHER, patchStatus(object, status))).toMatchObject({ status: 403 });
    expect(await requestAs(PATCHER, patchStatus(object, { blacklisted }))).toMatchObject({ status: 'ok' });
    expect(await statusOf(object)).toEqual({ observedGeneration: 1 });
  });

  test('may write no status of one kind because of the right to update another', async () => {
    const [updatable, other] = [await revocable('Token'), await revocable('IssuedToken')];
    expect(await requestAs(TOKEN_UPDATER, patchStatus(updatable, { keyID: 'x' }))).toMatchObject({
      status: 'ok',
    });
    const { message } = await requestAs(TOKEN_UPDATER, patchStatus(other, { version: 7 }));
    expect(message).toContain('m2m-oauth-operator-status');
  });

  test('still deletes what it may delete, and changes metadata', async () => {
    for (const kind of KINDS) {
      const object = await revocable(kind);
      const body = { metadata: { annotations: { 'example.com/a': 'b' } } };
      const contentType = 'application/merge-patch+json';
      const path = objectPath(object);
      expect(await requestAs(PATCHER, { verb: 'patch', path, contentType, body })).toMatchObject({
        status: 'ok',
      });
      expect(await requestAs(PATCHER, { verb: 'delete', path })).toMatchObject({ status: 'ok' });
    }
  });
});

describe('whoever may update a status', () => {
  test.each(KINDS)(
    'writes every field of a %s with the operator’s rights, whatever its name',
    async (kind) => {
      for (const user of [OPERATOR, ELSEWHERE, WATCHING]) {
        const object = await revocable(kind);
        const body = { ...object, status: { ...object.status, ...fieldOf(kind) } };
        const update = { verb: 'update', path: objectPath(object, 'status'), body } as const;
        expect(await requestAs(user, update)).toEqual({ status: 'ok', message: '' });
        expect(await statusOf(object)).toMatchObject(fieldOf(kind));
      }
    },
  );

  test.each(KINDS)('patches every field of a %s too', async (kind) => {
    for (const user of [OPERATOR, WILDCARD, CLUSTER_ADMIN]) {
      const object = await revocable(kind);
      expect(await requestAs(user, patchStatus(object, fieldOf(kind)))).toMatchObject({ status: 'ok' });
      expect(await statusOf(object)).toMatchObject(fieldOf(kind));
    }
  });
});

test('an object of ours is removed by the garbage collector with its owner', async () => {
  const owner = bodyOf(
    await api.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner', namespace } }),
  );
  const { uid, name } = owner.metadata;
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid }];
  const owned = await written(token({}, { namespace, name: 'owned', ownerReferences }), TOKEN_STATUS);
  bodyOf(await api.delete(owner));
  // The garbage collector looks for new kinds every 30 s.
  await eventually(async () => (await api.get(owned)).status === 404, { timeoutMs: 90_000, intervalMs: 200 });
}, 100_000);

test('a field that a later version adds is the operator’s, without being named', async () => {
  const group = 'later.m2moauth.dev';
  const [definition] = (await readObjects([join(ROOT, 'crds/m2moauth.dev_tokens.yaml')])) as KubeObject[];
  const [policy, policyBinding] = ((await readObjects([DEPLOY])) as KubeObject[]).filter(({ kind }) =>
    kind.startsWith('ValidatingAdmissionPolicy'),
  );
  if (!definition || !policy || !policyBinding) throw new Error('the policy or the CRD is gone');
  const later = structuredClone(definition) as KubeObject & { metadata: { name: string } };
  Object.assign(later.metadata, { name: `tokens.${group}` });
  later.spec.group = group;
  later.spec.names = { ...later.spec.names, shortNames: [], categories: [] };
  const { properties } = later.spec.versions[0].schema.openAPIV3Schema.properties.status;
  properties.laterField = {
    type: 'object',
    properties: { deep: { type: 'array', items: { type: 'integer' } } },
  };
  const name = 'later-status';
  const [rule] = policy.spec.matchConstraints.resourceRules;
  const matchConstraints = { resourceRules: [{ ...rule, apiGroups: [group] }] };
  const copies = [
    later,
    { ...policy, metadata: { name }, spec: { ...policy.spec, matchConstraints } },
    { ...policyBinding, metadata: { name }, spec: { ...policyBinding.spec, policyName: name } },
  ];
  try {
    await applyObjects(api, copies as Ref[]);
    const path = `/apis/${group}/v1alpha1/namespaces/${namespace}/tokens`;
    const body = { ...token({}, { namespace, name: 'later' }), apiVersion: `${group}/v1alpha1` };
    bodyOf(await api.request('POST', path, body));
    const patch = (status: object): KubeRequest => ({
      verb: 'patch',
      path: `${path}/later/status`,
      contentType: 'application/merge-patch+json',
      body: { status },
    });
    const before = patch({ laterField: { deep: [1, 2] } });
    expect(await requestAs(CLUSTER_ADMIN, before)).toMatchObject({ status: 'ok' });
    let next = 2;
    await eventually(
      async () => {
        next += 1;
        const { message } = await requestAs(PATCHER, patch({ laterField: { deep: [1, next] } }));
        return message.includes('only the operator may change status.laterField');
      },
      { timeoutMs: 30_000 },
    );
    expect(await requestAs(PATCHER, patch({ laterField: null }))).toMatchObject({ status: 403 });
    expect(await requestAs(PATCHER, patch({ blacklisted }))).toMatchObject({ status: 'ok' });
  } finally {
    for (const copy of copies.toReversed()) await api.delete(copy as Ref);
  }
}, 60_000);
