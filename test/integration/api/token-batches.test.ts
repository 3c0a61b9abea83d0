import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf, type KubeObject, type Ref, testApi } from '../../support/api.ts';
import { many, tokenBatch } from './objects.ts';
import { expectAcceptance, expectInvalid, expectRejection, type Rejection } from './rejection.ts';
import { status, store } from './stored.ts';

const api = testApi();
afterAll(api.close);

let namespace: string;
beforeAll(async () => {
  namespace = await api.createNamespace('batches');
});

const stored = (object: Ref, value?: object): Promise<KubeObject> =>
  store(api, { ...object, metadata: { namespace } }, value);

const PROFILE = { owner: 'alice', subject: 'alice', keyID: 'a'.repeat(43) };
const MOST = Array.from({ length: 256 }, (_, at) => at);
const CLAIMS = { 0: { sub: 'bob', groups: ['a'], nested: { deep: [1, { x: true }] } } };
const EARLIER = '2026-01-01T00:00:00Z';
const LATER = '2026-01-01T00:00:01Z';

describe('the API server takes', () => {
  test.each<readonly [string, Ref]>([
    ['the least batch', tokenBatch()],
    [
      'one with as much as can be',
      tokenBatch({
        count: 256,
        expiration: '2030-01-01T00:00:00Z',
        profiles: MOST.map((at) => ({ ...PROFILE, subject: `s-${at}`, audience: ['a'], scope: ['b'] })),
        tokens: MOST.map((at) => `${at} 1767225600 1767229200 ${'n'.repeat(253)}`),
        originalTokenClaims: Object.fromEntries(MOST.map((at) => [at, { sub: `s-${at}` }])),
      }),
    ],
  ])('%s', (_, object) => expectAcceptance(api, object));
});

describe('the API server rejects', () => {
  const without = (field: string): Rejection => [
    `no ${field}`,
    tokenBatch({ [field]: undefined }),
    `spec.${field}`,
    'Required',
  ];
  test.each<Rejection>([
    ...['clientRef', 'clientID', 'clientUID', 'count', 'profiles', 'tokens'].map(without),
    ['no record', tokenBatch({ tokens: [] }), 'spec.tokens', 'at least 1'],
    ['too many records', tokenBatch({ tokens: many(257) }), 'spec.tokens', '256'],
    ['a record that is none', tokenBatch({ tokens: ['defer'] }), 'spec.tokens', 'should match'],
    [
      'a profile without owner',
      tokenBatch({ profiles: [{ ...PROFILE, owner: '' }] }),
      'spec.profiles',
      'at least 1',
    ],
  ])('%s', async (...rejection) => expectRejection(api, rejection));
});

describe('no client may change a batch’s', () => {
  test.each<readonly [string, unknown]>([
    ['clientUID', 'other'],
    ['count', 1],
    ['expiration', EARLIER],
    ['profiles', [{ ...PROFILE, owner: 'mallory' }]],
    ['tokens', ['0 1767225600 1767229200 nightly']],
    ['tokens', ['0 1767225600 1767229201 nightly', '0 1767225600 0']],
    ['originalTokenClaims', { 0: { ...CLAIMS[0], sub: 'mallory' } }],
    ['originalTokenClaims', { 0: { ...CLAIMS[0], nested: { deep: [1, { x: false }] } } }],
    ['originalTokenClaims', { ...CLAIMS, 1: {} }],
  ])('%s to %j', async (field, value) => {
    const object = await stored(tokenBatch({ originalTokenClaims: CLAIMS }));
    const changed = { ...object, spec: { ...object.spec, [field]: value } };
    expectInvalid(await api.replace(changed), 'spec', "can't be changed");
    expectInvalid(
      await api.patch(object, 'json', [{ op: 'add', path: `/spec/${field}`, value }]),
      'spec',
      "can't be changed",
    );
    expect(bodyOf(await api.get(object)).spec).toEqual(object.spec);
  });
});

describe('what is revoked or deleted', () => {
  const ENDED = { version: 3, blacklisted: { 0: EARLIER }, blacklistedCount: 1, deleted: [1] };

  test('may become more', async () => {
    const object = await stored(tokenBatch(), ENDED);
    const more = { blacklisted: { 1: LATER }, blacklistedCount: 2, version: 4 };
    bodyOf(await api.patch(object, 'merge', { status: more }, status));
    expect(bodyOf(await api.get(object)).status).toEqual({
      ...ENDED,
      ...more,
      blacklisted: { 0: EARLIER, 1: LATER },
    });
  });

  test.each<readonly [string, object, string]>([
    ['less blacklisted', { blacklisted: {} }, 'status.blacklisted'],
    ['another blacklisted', { blacklisted: { 1: EARLIER } }, 'status.blacklisted'],
    ['blacklisted at another time', { blacklisted: { 0: LATER } }, 'status.blacklisted'],
    ['nothing blacklisted', { blacklisted: undefined }, 'status.blacklisted'],
    ['less deleted', { deleted: [] }, 'status.deleted'],
    ['another deleted', { deleted: [0] }, 'status.deleted'],
    ['nothing deleted', { deleted: undefined }, 'status.deleted'],
    ['an earlier version', { version: 2 }, 'status.version'],
  ])('can’t become %s, by no verb', async (_, change, field) => {
    const object = await stored(tokenBatch(), ENDED);
    const wanted = { ...ENDED, ...change };
    expectInvalid(await api.replace({ ...object, status: wanted }, status), field, 'status.');
    const patch = [{ op: 'replace', path: '/status', value: wanted }];
    expectInvalid(await api.patch(object, 'json', patch, status), field, 'status.');
    expect(bodyOf(await api.get(object)).status).toEqual(ENDED);
  });

  test.each<readonly [string, (object: KubeObject) => ReturnType<typeof api.get>]>([
    ['a status of null', (object) => api.patch(object, 'merge', { status: null }, status)],
    ['no status', (object) => api.patch(object, 'json', [{ op: 'remove', path: '/status' }], status)],
    ['a replace without one', ({ status: _, ...object }) => api.replace(object as KubeObject, status)],
  ])('stays through %s', async (_, attempt) => {
    const object = await stored(tokenBatch(), ENDED);
    expect((await attempt(object)).status).toBe(422);
    expect(bodyOf(await api.get(object)).status).toEqual(ENDED);
  });
});
