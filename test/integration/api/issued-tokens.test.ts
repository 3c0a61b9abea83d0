import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Answer, bodyOf, type KubeObject, type Ref, testApi } from '../../support/api.ts';
import { issuedToken, many } from './objects.ts';
import { expectAcceptance, expectInvalid, expectRejection, type Rejection } from './rejection.ts';
import { status, store } from './stored.ts';

const api = testApi();
afterAll(api.close);

let namespace: string;
beforeAll(async () => {
  namespace = await api.createNamespace('issued');
});

const stored = (object: Ref, value?: object): Promise<KubeObject> =>
  store(api, { ...object, metadata: { namespace } }, value);

const CLAIMS = { sub: 'bob', groups: ['a', 'b'], nested: { deep: { list: [1, { x: true }] } } };
const FULL = {
  tokenName: 'reports',
  audience: ['https://api.example.com'],
  scope: ['read', 'write'],
  expiration: '2030-01-01T00:00:00Z',
  originalTokenClaims: CLAIMS,
};

describe('the API server takes', () => {
  test.each<readonly [string, Ref]>([
    ['the least record', issuedToken()],
    ['one with everything', issuedToken({ ...FULL, revoked: false })],
    [
      'one with as much as can be',
      issuedToken({
        audience: many(64),
        scope: many(256),
        originalTokenClaims: Object.fromEntries(many(256).map((name) => [name, { in: [name] }])),
      }),
    ],
  ])('%s', (_, object) => expectAcceptance(api, object));
});

describe('the API server rejects', () => {
  const without = (field: string): Rejection => [
    `no ${field}`,
    issuedToken({ [field]: undefined }),
    `spec.${field}`,
    'Required',
  ];
  test.each<Rejection>([
    ...['clientRef', 'clientID', 'clientUID', 'owner', 'subject', 'issuedAt', 'keyID'].map(without),
    ['an empty owner', issuedToken({ owner: '' }), 'spec.owner', 'at least 1'],
    ['an empty subject', issuedToken({ subject: '' }), 'spec.subject', 'at least 1'],
    ['an owner without end', issuedToken({ owner: 'x'.repeat(513) }), 'spec.owner', '512'],
    ['a time that is none', issuedToken({ issuedAt: 'defer' }), 'spec.issuedAt', 'date-time'],
    ['too many audiences', issuedToken({ audience: many(65) }), 'spec.audience', '64'],
    ['too many scopes', issuedToken({ scope: many(257) }), 'spec.scope', '256'],
    [
      'too many claims',
      issuedToken({ originalTokenClaims: Object.fromEntries(many(257).map((name) => [name, 1])) }),
      'spec.originalTokenClaims',
      '256',
    ],
    [
      'claims that are no object',
      issuedToken({ originalTokenClaims: ['a'] }),
      'spec.originalTokenClaims',
      'object',
    ],
  ])('%s', async (...rejection) => expectRejection(api, rejection));
});

/** Another value of each field that is there, and what else may be tried on it. */
const CHANGES: readonly (readonly [field: string, value: unknown])[] = [
  ['clientRef', { name: 'other' }],
  ['clientID', 'other'],
  ['clientUID', 'other'],
  ['tokenName', 'other'],
  ['audience', ['https://api.example.com', 'more']],
  ['audience', []],
  ['scope', ['write', 'read']],
  ['owner', 'mallory'],
  ['subject', 'mallory'],
  ['issuedAt', '2026-01-01T00:00:01Z'],
  ['expiration', '2030-01-01T00:00:01Z'],
  ['keyID', 'b'.repeat(43)],
  ['originalTokenClaims', { ...CLAIMS, sub: 'mallory' }],
  ['originalTokenClaims', { ...CLAIMS, groups: ['b', 'a'] }],
  ['originalTokenClaims', { ...CLAIMS, nested: { deep: { list: [1, { x: false }] } } }],
  ['originalTokenClaims', { ...CLAIMS, nested: { deep: { list: [1, { x: true }], more: 1 } } }],
  ['originalTokenClaims', { ...CLAIMS, more: null, sub: 'bob', also: 1 }],
  ['originalTokenClaims', {}],
];
const OPTIONAL = ['tokenName', 'audience', 'scope', 'expiration', 'originalTokenClaims'];

type Attempt = readonly [
  verb: string,
  (object: KubeObject, field: string, value: unknown) => Promise<Answer>,
];
const plain = ({ apiVersion, kind, metadata, spec }: KubeObject): Ref => ({
  apiVersion,
  kind,
  metadata: { name: metadata.name, namespace: metadata.namespace ?? '' },
  spec,
});
const VERBS: readonly Attempt[] = [
  ['PUT', (object, field, value) => api.replace({ ...object, spec: { ...object.spec, [field]: value } })],
  [
    'a JSON patch',
    (object, field, value) => api.patch(object, 'json', [{ op: 'replace', path: `/spec/${field}`, value }]),
  ],
  [
    'a forced apply',
    (object, field, value) =>
      api.apply(
        { ...plain(object), spec: { ...object.spec, [field]: value } },
        { query: { fieldManager: 'other', force: true } },
      ),
  ],
];

describe.each(VERBS)('through %s no client may change a record’s', (_, attempt) => {
  test.each(CHANGES)('%s to %j', async (field, value) => {
    const object = await stored(issuedToken(FULL));
    expectInvalid(await attempt(object, field, value), 'spec', "can't be changed");
    expect(bodyOf(await api.get(object)).spec).toEqual(object.spec);
  });
});

describe('no client may', () => {
  test.each(OPTIONAL)('take away %s, by any verb', async (field) => {
    const object = await stored(issuedToken(FULL));
    const { [field]: _, ...rest } = object.spec;
    const answers = [
      await api.patch(object, 'merge', { spec: { [field]: null } }),
      await api.patch(object, 'json', [{ op: 'remove', path: `/spec/${field}` }]),
      await api.replace({ ...object, spec: rest }),
    ];
    for (const answer of answers) expectInvalid(answer, 'spec', "can't be changed");
    expect(bodyOf(await api.get(object)).spec).toEqual(object.spec);
  });

  test.each(OPTIONAL)('add %s', async (field) => {
    const object = await stored(issuedToken());
    const value = FULL[field as keyof typeof FULL];
    expectInvalid(await api.patch(object, 'merge', { spec: { [field]: value } }), 'spec', "can't be changed");
  });

  test.each<readonly [string, object]>([
    ['change one claim of the assertion', { sub: 'mallory' }],
    ['change a nested claim', { nested: { deep: { list: [] } } }],
    ['add a nested claim', { nested: { more: 1 } }],
    ['take a nested claim away', { nested: { deep: null } }],
  ])('%s by a merge patch', async (_, originalTokenClaims) => {
    const object = await stored(issuedToken(FULL));
    expectInvalid(
      await api.patch(object, 'merge', { spec: { originalTokenClaims } }),
      'spec',
      "can't be changed",
    );
  });

  test('take the claims away by an apply that drops them', async () => {
    const object = { ...issuedToken(FULL), metadata: { namespace, name: 'applied' } } as Ref;
    bodyOf(await api.apply(object));
    expectInvalid(await api.apply({ ...object, spec: issuedToken().spec }), 'spec', "can't be changed");
  });

  test('take the spec away', async () => {
    const object = await stored(issuedToken());
    expect((await api.patch(object, 'merge', { spec: null })).status).toBe(422);
  });

  test('change the spec through its status', async () => {
    const object = await stored(issuedToken());
    bodyOf(await api.patch(object, 'merge', { spec: { owner: 'mallory' }, status: { version: 2 } }, status));
    expect(bodyOf(await api.get(object)).spec).toEqual(object.spec);
  });
});

describe('a record can be revoked', () => {
  test('by kubectl patch, and stays so', async () => {
    const object = await stored(issuedToken(FULL));
    const revoked = bodyOf(await api.patch(object, 'merge', { spec: { revoked: true } }));
    const { revoked: _, ...rest } = revoked.spec;
    const answers = [
      await api.patch(object, 'merge', { spec: { revoked: false } }),
      await api.patch(object, 'merge', { spec: { revoked: null } }),
      await api.patch(object, 'json', [{ op: 'remove', path: '/spec/revoked' }]),
      await api.replace({ ...revoked, spec: rest }),
      await api.apply(
        { ...plain(object), spec: { ...revoked.spec, revoked: false } },
        { query: { fieldManager: 'other', force: true } },
      ),
    ];
    for (const answer of answers) expectInvalid(answer, 'spec.revoked', "can't be taken back");
    expect(bodyOf(await api.get(object)).spec.revoked).toBe(true);
  });

  test('by an apply, whose dropping does not take it back', async () => {
    const object = await stored(issuedToken());
    const revoke = { ...plain(object), spec: { ...object.spec, revoked: true } };
    bodyOf(await api.apply(revoke, { query: { fieldManager: 'revoker', force: true } }));
    expectInvalid(
      await api.apply(plain(object), { query: { fieldManager: 'revoker' } }),
      'spec.revoked',
      "can't be taken back",
    );
  });

  test('while what was false may go', async () => {
    const object = await stored(issuedToken({ revoked: false }));
    bodyOf(await api.patch(object, 'merge', { spec: { revoked: null } }));
  });
});

const TIME = '2026-01-02T00:00:00Z';
const blacklisted = { flag: true, timestamp: TIME };
const withoutStatus = ({ status: _, ...rest }: KubeObject): Ref => rest as Ref;

describe('a blacklisted record stays blacklisted', () => {
  const merge = (value: unknown) => (object: KubeObject) =>
    api.patch(object, 'merge', { status: value }, status);
  test.each<readonly [string, (object: KubeObject) => Promise<Answer>]>([
    ['through a merge patch of the flag', merge({ blacklisted: { flag: false } })],
    ['through a merge patch of the time', merge({ blacklisted: { timestamp: '2027-01-01T00:00:00Z' } })],
    ['through a merge patch that takes it away', merge({ blacklisted: null })],
    ['through a merge patch that takes the status away', merge(null)],
    [
      'through a JSON patch that takes the flag',
      (object) =>
        api.patch(
          object,
          'json',
          [{ op: 'replace', path: '/status/blacklisted/flag', value: false }],
          status,
        ),
    ],
    [
      'through a JSON patch that takes it away',
      (object) => api.patch(object, 'json', [{ op: 'remove', path: '/status/blacklisted' }], status),
    ],
    [
      'through a JSON patch that takes the status away',
      (object) => api.patch(object, 'json', [{ op: 'remove', path: '/status' }], status),
    ],
    ['through PUT without a status', (object) => api.replace(withoutStatus(object), status)],
    ['through PUT with an empty status', (object) => api.replace({ ...object, status: {} }, status)],
    [
      'through PUT with flag false',
      (object) =>
        api.replace(
          { ...object, status: { version: 2, blacklisted: { flag: false, timestamp: TIME } } },
          status,
        ),
    ],
    [
      'through a forced apply with flag false',
      (object) =>
        api.apply(
          { ...plain(object), spec: undefined, status: { blacklisted: { flag: false, timestamp: TIME } } },
          { ...status, query: { fieldManager: 'other', force: true } },
        ),
    ],
  ])('%s', async (_, attempt) => {
    const object = await stored(issuedToken(), { blacklisted, version: 2 });
    expectInvalid(await attempt(object), 'status.blacklisted', "can't be taken back");
    expect(bodyOf(await api.get(object)).status).toEqual({ blacklisted, version: 2 });
  });

  test('through writes beside the status subresource, which leave the status alone', async () => {
    const object = await stored(issuedToken(), { blacklisted });
    const labelled = bodyOf(
      await api.patch(object, 'merge', { metadata: { labels: { a: 'b' } }, status: null }),
    );
    bodyOf(await api.replace(withoutStatus(labelled)));
    expect(bodyOf(await api.get(object)).status).toEqual({ blacklisted });
  });

  test('its version never falls and stays', async () => {
    const object = await stored(issuedToken(), { version: 2 });
    for (const value of [{ version: 1 }, { version: null }, null]) {
      expectInvalid(await merge(value)(object), 'status.version', 'never falls');
    }
    bodyOf(await merge({ version: 3 })(object));
  });
});
