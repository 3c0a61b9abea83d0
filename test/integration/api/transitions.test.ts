import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf, type KubeObject, type Ref, testApi } from '../../support/api.ts';
import { client, key, kid, token } from './objects.ts';
import { expectInvalid } from './rejection.ts';
import { store } from './stored.ts';

const api = testApi();
afterAll(api.close);

let namespace: string;
beforeAll(async () => {
  namespace = await api.createNamespace('transitions');
});

const stored = (object: Ref, value?: object): Promise<KubeObject> =>
  store(api, { ...object, metadata: { namespace } }, value);

type SpecCase = readonly [sentence: string, before: Ref, patch: object | null, field: string, words: string];

const rejected: readonly SpecCase[] = [
  [
    'un-revoking a Token',
    token({ revoked: true }),
    { revoked: false },
    'spec.revoked',
    "can't be taken back",
  ],
  ['taking revoked away', token({ revoked: true }), { revoked: null }, 'spec.revoked', "can't be taken back"],
  [
    'giving a Token another client',
    token(),
    { clientRef: { name: 'other' } },
    'spec.clientRef.name',
    "can't be changed",
  ],
  ['taking the client away', token(), { clientRef: null }, 'spec.clientRef', 'Required'],
  [
    'naming the namespace of the client later',
    token(),
    { clientRef: { namespace: 'default' } },
    'spec.clientRef.namespace',
    "can't be changed",
  ],
  [
    'no longer naming the namespace of the client',
    token({ clientRef: { name: 'a', namespace: 'b' } }),
    { clientRef: { namespace: null } },
    'spec.clientRef.namespace',
    "can't be changed",
  ],
  [
    'naming another namespace of the client',
    token({ clientRef: { name: 'a', namespace: 'b' } }),
    { clientRef: { namespace: 'c' } },
    'spec.clientRef.namespace',
    "can't be changed",
  ],
  ['taking the spec away', token(), null, 'spec', 'Required'],
  [
    'giving a client another client ID',
    client({ clientID: 'a' }),
    { clientID: 'b' },
    'spec.clientID',
    "can't be changed",
  ],
  ['giving a client a client ID later', client(), { clientID: 'b' }, 'spec.clientID', "can't be changed"],
  [
    'taking the client ID away',
    client({ clientID: 'a' }),
    { clientID: null },
    'spec.clientID',
    "can't be changed",
  ],
  [
    'giving a client to another issuer once more',
    client({ issuer: 'https://a.example' }),
    { issuer: 'https://b.example' },
    'spec.issuer',
    "can't be changed",
  ],
  [
    'taking the issuer of a client away',
    client({ issuer: 'https://a.example' }),
    { issuer: null },
    'spec.issuer',
    "can't be changed or removed",
  ],
  [
    'taking a kid back',
    key({ compromised: [kid('a'), kid('b')] }),
    { compromised: [kid('a')] },
    'spec.compromised',
    'only grows',
  ],
  [
    'taking one kid back while adding another',
    key({ compromised: [kid('a')] }),
    { compromised: [kid('b')] },
    'spec.compromised',
    'only grows',
  ],
  [
    'taking all kids back',
    key({ compromised: [kid('a')] }),
    { compromised: [] },
    'spec.compromised',
    'only grows',
  ],
  [
    'taking compromised away',
    key({ compromised: [kid('a')] }),
    { compromised: null },
    'spec.compromised',
    'only grows',
  ],
];

describe('the API server rejects', () => {
  test.each(rejected)('%s', async (_, before, patch, field, words) => {
    const object = await stored(before);
    expectInvalid(await api.patch(object, 'merge', { spec: patch }), field, words);
  });

  test('un-revoking through an apply that drops it', async () => {
    const object = { ...token({ revoked: true }), metadata: { namespace, name: 'applied' } } as Ref;
    bodyOf(await api.apply(object));
    expectInvalid(await api.apply({ ...object, spec: token().spec }), 'spec.revoked', "can't be taken back");
  });

  test('un-revoking through PUT of a spec without it', async () => {
    const object = await stored(token({ revoked: true }));
    expectInvalid(
      await api.replace({ ...object, spec: token().spec }),
      'spec.revoked',
      "can't be taken back",
    );
  });

  test('un-revoking through a JSON patch', async () => {
    const object = await stored(token({ revoked: true }));
    expectInvalid(
      await api.patch(object, 'json', [{ op: 'remove', path: '/spec/revoked' }]),
      'spec.revoked',
      "can't be taken back",
    );
  });
});

describe('the API server accepts', () => {
  test.each<readonly [string, Ref, object]>([
    ['revoking a Token', token(), { revoked: true }],
    ['un-revoking what was never revoked', token({ revoked: false }), { revoked: null }],
    [
      'changing everything else of a Token',
      token({ scope: ['a'], lifetime: '1h' }),
      { scope: ['b'], lifetime: null, expiration: '2030-01-01T00:00:00Z', secret: { name: 'b' } },
    ],
    [
      'changing everything else of a client',
      client({ clientID: 'a' }),
      { owner: 'bob', accessTokenLifetime: '2h', suspended: true },
    ],
    ['giving a client to an issuer later', client(), { issuer: 'https://a.example' }],
    ['adding compromised kids', key({ compromised: [kid('a')] }), { compromised: [kid('b'), kid('a')] }],
    [
      'adding the first compromised kid, and another algorithm',
      key(),
      { compromised: [kid('b')], algorithm: 'EdDSA' },
    ],
  ])('%s', async (_, before, patch) => {
    const object = await stored(before);
    expect((await api.patch(object, 'merge', { spec: patch })).status).toBe(200);
  });

  test('256 compromised kids beside 255', async () => {
    const kids = Array.from({ length: 256 }, (_, at) => String(at).padEnd(43, 'x'));
    const object = await stored(key({ compromised: kids.slice(1) }));
    expect((await api.patch(object, 'merge', { spec: { compromised: kids } })).status).toBe(200);
  });
});
