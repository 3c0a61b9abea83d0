import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Answer, bodyOf, type KubeObject, type Ref, testApi } from '../../support/api.ts';
import { token } from './objects.ts';
import { expectInvalid } from './rejection.ts';
import { status, store } from './stored.ts';

const api = testApi();
afterAll(api.close);

let namespace: string;
beforeAll(async () => {
  namespace = await api.createNamespace('transitions');
});

const stored = (object: Ref, value?: object): Promise<KubeObject> =>
  store(api, { ...object, metadata: { namespace } }, value);

const TIME = '2026-01-01T00:00:00Z';

/** What kubectl would send: the object without what the API server keeps for itself. */
const applied = ({ apiVersion, kind, metadata, spec }: KubeObject): Ref => ({
  apiVersion,
  kind,
  metadata: { name: metadata.name, namespace: metadata.namespace ?? '' },
  ...(spec && { spec }),
});

const without = (object: KubeObject, field: 'status'): Ref => {
  const { [field]: _, ...rest } = object;
  return rest;
};

const blacklisted = { flag: true, timestamp: TIME };

type Attempt = readonly [sentence: string, (object: KubeObject) => Promise<Answer>];

describe('a blacklisted Token stays blacklisted', () => {
  const withStatus = (value: object | undefined) => (object: KubeObject) =>
    api.replace({ ...object, status: { ...object.status, blacklisted: value } }, status);
  const attempts: readonly Attempt[] = [
    ['through PUT with flag false', withStatus({ flag: false, timestamp: TIME })],
    ['through PUT with another time', withStatus({ flag: true, timestamp: '2026-01-01T00:00:01Z' })],
    ['through PUT without it', withStatus(undefined)],
    ['through PUT without a status', (object) => api.replace(without(object, 'status'), status)],
    ['through PUT with an empty status', (object) => api.replace({ ...object, status: {} }, status)],
    [
      'through a merge patch of the flag',
      (object) => api.patch(object, 'merge', { status: { blacklisted: { flag: false } } }, status),
    ],
    [
      'through a merge patch of the time',
      (object) =>
        api.patch(
          object,
          'merge',
          { status: { blacklisted: { timestamp: '2027-01-01T00:00:00Z' } } },
          status,
        ),
    ],
    [
      'through a merge patch that takes it away',
      (object) => api.patch(object, 'merge', { status: { blacklisted: null } }, status),
    ],
    [
      'through a merge patch that takes the status away',
      (object) => api.patch(object, 'merge', { status: null }, status),
    ],
    [
      'through a JSON patch of the flag',
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
    [
      'through a forced apply with flag false',
      (object) =>
        api.apply(
          { ...applied(object), status: { blacklisted: { flag: false, timestamp: TIME } } },
          { ...status, query: { fieldManager: 'other', force: true } },
        ),
    ],
  ];

  test.each(attempts)('%s', async (_, attempt) => {
    const object = await stored(token(), { blacklisted, issuance: 1 });
    expectInvalid(await attempt(object), 'status.blacklisted', "can't be taken back");
    expect(bodyOf(await api.get(object)).status.blacklisted).toEqual(blacklisted);
  });

  test('through an apply that drops what the same manager applied', async () => {
    const object = await stored(token());
    const apply = (value: object) =>
      api.apply({ ...applied(object), status: value }, { ...status, query: { fieldManager: 'revoker' } });
    bodyOf(await apply({ blacklisted }));
    expectInvalid(await apply({ version: 1 }), 'status.blacklisted', "can't be taken back");
    expect(await apply({})).toMatchObject({ status: 422 });
    expect(bodyOf(await api.get(object)).status.blacklisted).toEqual(blacklisted);
  });

  test('through writes beside the status subresource, which leave the status alone', async () => {
    const object = await stored(token(), { blacklisted });
    const labelled = bodyOf(
      await api.patch(object, 'merge', { metadata: { labels: { a: 'b' } }, status: null }),
    );
    bodyOf(await api.replace(without(labelled, 'status')));
    expect(bodyOf(await api.get(object)).status.blacklisted).toEqual(blacklisted);
  });

  test('and its other status can change, the same instant in other words among it', async () => {
    const object = await stored(token(), { blacklisted, version: 1 });
    const next = { blacklisted: { flag: true, timestamp: '2026-01-01T01:00:00+01:00' }, version: 2 };
    expect((await api.patch(object, 'merge', { status: next }, status)).status).toBe(200);
  });

  test('while one that is not can lose a flag that is false, and be blacklisted at any time', async () => {
    const object = await stored(token(), { blacklisted: { flag: false, timestamp: TIME } });
    bodyOf(await api.patch(object, 'merge', { status: { blacklisted: null } }, status));
    expect((await api.patch(object, 'merge', { status: { blacklisted } }, status)).status).toBe(200);
  });
});

describe('the issuance of a Token never falls', () => {
  test.each<Attempt>([
    ['to a smaller number', (object) => api.patch(object, 'merge', { status: { issuance: 2 } }, status)],
    ['to none', (object) => api.patch(object, 'json', [{ op: 'remove', path: '/status/issuance' }], status)],
    ['to none with its status', (object) => api.patch(object, 'merge', { status: null }, status)],
    ['to none through PUT without a status', (object) => api.replace(without(object, 'status'), status)],
  ])('%s', async (_, attempt) => {
    const object = await stored(token(), { issuance: 3 });
    expectInvalid(await attempt(object), 'status.issuance', 'never falls');
  });

  test('and may stay or grow', async () => {
    const object = await stored(token(), { issuance: 3 });
    for (const issuance of [3, 4]) bodyOf(await api.patch(object, 'merge', { status: { issuance } }, status));
  });
});
