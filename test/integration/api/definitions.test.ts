import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { CRD_REVISION, CRD_REVISION_ANNOTATION } from '../../../operator/api/crd-revision.ts';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import { bodyOf, type Ref, testApi } from '../../support/api.ts';
import { client, clientWith, issuedToken, key, token, tokenBatch } from './objects.ts';

const api = testApi();
afterAll(api.close);

let namespace: string;
beforeAll(async () => {
  namespace = await api.createNamespace('definitions');
});

const here = (object: Ref, name: string): Ref => ({ ...object, metadata: { namespace, name } });
const definition = (plural: string): Ref => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.m2moauth.dev` },
});

describe('a definition', () => {
  test.each([
    ['tokens', 'm2mtoken'],
    ['oauthclients', 'm2mclient'],
    ['signingkeys', 'm2mkey'],
    ['issuedtokens', 'm2missued'],
    ['tokenbatches', 'm2mbatch'],
  ])(
    'of %s has its short name, its category and its revision, and no complaint against it',
    async (plural, shortName) => {
      const { metadata, spec, status } = bodyOf(await api.get(definition(plural)));
      expect(spec.names).toMatchObject({ plural, shortNames: [shortName], categories: ['m2moauth'] });
      expect(metadata.annotations).toMatchObject({ [CRD_REVISION_ANNOTATION]: String(CRD_REVISION) });
      expect(spec.scope).toBe('Namespaced');
      expect(spec.versions).toMatchObject([{ name: 'v1alpha1', subresources: { status: {} } }]);
      const conditions: { type: string }[] = status.conditions;
      expect(conditions.map(({ type }) => type).sort()).toEqual(['Established', 'NamesAccepted']);
    },
  );
});

describe('what is not said is set by the schema', () => {
  test.each<readonly [string, Ref, object]>([
    ['a Token: nothing', token(), { clientRef: { name: 'app' } }],
    [
      'a client',
      client(),
      {
        owner: 'alice',
        accessTokenLifetime: '1h',
        allowedGrantTypes: ['client_credentials'],
        recording: 'PerToken',
      },
    ],
    ['a client that gets no tokens', client({ allowedGrantTypes: [] }), { allowedGrantTypes: [] }],
    [
      'the namespaces of a client',
      client({ allowedNamespaces: {} }),
      { allowedNamespaces: { from: 'Same' } },
    ],
    ['the introspection of a client', client({ introspection: {} }), { introspection: { policy: 'Own' } }],
    [
      'the key of a client secret',
      clientWith({ clientSecret: { secretRef: { name: 'a' } } }),
      { authentication: { clientSecret: { secretRef: { name: 'a', key: 'client_secret' } } } },
    ],
    ['a signing key', key(), { algorithm: 'ES256' }],
    [
      'its rotation',
      key({ rotation: {} }),
      { algorithm: 'ES256', rotation: { interval: '2160h', publishBefore: '24h' } },
    ],
  ])('%s', async (_, object, spec) => {
    const { status, body } = await api.create(here(object, 'a'), { query: { dryRun: 'All' } });
    expect(status).toBe(201);
    expect(body.spec).toMatchObject(spec);
  });

  test('a Token has nothing but what was said', async () => {
    const { body } = await api.create(here(token(), 'a'), { query: { dryRun: 'All' } });
    expect(body.spec).toEqual({ clientRef: { name: 'app' } });
  });

  test('an unknown field is rejected by name under strict validation', async () => {
    const { status, body } = await api.create(here(token({ scopes: [] }), 'a'), {
      query: { dryRun: 'All', fieldValidation: 'Strict' },
    });
    expect({ status, message: body.message }).toEqual({
      status: 400,
      message: expect.stringContaining('spec.scopes'),
    });
  });

  test('a status given at creation is dropped', async () => {
    const { body } = await api.create(
      { ...here(token(), 'a'), status: { issuance: 7 } },
      { query: { dryRun: 'All' } },
    );
    expect(body.status).toBeUndefined();
  });
});

interface Table {
  readonly columnDefinitions: readonly {
    readonly name: string;
    readonly type: string;
    readonly priority: number;
    readonly description: string;
  }[];
  readonly rows: readonly { readonly cells: readonly unknown[] }[];
}

const connection = readKubeconfig(process.env.M2M_TEST_KUBECONFIG ?? '');
const dispatcher = new Agent({
  connect: { ca: connection.ca, cert: connection.client.certificate, key: connection.client.key },
});
afterAll(() => dispatcher.destroy());

/** What `kubectl get` asks for. */
const tableOf = async (plural: string): Promise<Table> => {
  const { body } = await request(
    `${connection.server}/apis/m2moauth.dev/v1alpha1/namespaces/${namespace}/${plural}`,
    {
      dispatcher,
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    },
  );
  return (await body.json()) as Table;
};

describe('kubectl get', () => {
  const ready = (reason: string) => ({
    type: 'Ready',
    status: 'True',
    reason,
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  beforeAll(async () => {
    const withStatus = async (object: Ref, status: object): Promise<void> => {
      bodyOf(await api.create(object));
      bodyOf(await api.patch(object, 'merge', { status }, { subresource: 'status' }));
    };
    const conditions = [{ ...ready('Other'), type: 'Renewing', status: 'False' }, ready('Issued')];
    const secretRef = { name: 'shown-jwt' };
    await withStatus(here(token(), 'shown'), {
      owner: 'alice',
      expiration: '2999-01-01T00:00:00Z',
      secretRef,
      id: 'b54adc00-67f9-11d9-9669-0800200c9a66',
      conditions,
    });
    await withStatus(here(client(), 'shown'), {
      clientID: 'shown',
      issuer: 'https://a.example',
      conditions: [ready('Registered')],
    });
    const keys = [
      {
        kid: 'b',
        algorithm: 'ES256',
        phase: 'Published',
        publishedAt: '2026-01-01T00:00:00Z',
        publicJWK: {},
      },
      {
        kid: 'a',
        algorithm: 'ES256',
        phase: 'Active',
        publishedAt: '2026-01-01T00:00:00Z',
        publicJWK: { kty: 'EC', x: 'AA' },
      },
    ];
    const blacklisted = { flag: true, timestamp: '2026-01-01T00:00:00Z' };
    const expiration = '2999-01-01T00:00:00Z';
    await withStatus(here(issuedToken({ tokenName: 'reports', expiration }), 'shown'), { blacklisted });
    await withStatus(here(tokenBatch({ expiration }), 'shown'), {
      blacklisted: { 0: '2026-01-01T00:00:00Z' },
      blacklistedCount: 1,
    });
    await withStatus(here(key(), 'shown'), { keys, conditions: [ready('Active')] });
  });

  const AGE = expect.any(String);
  test.each([
    [
      'tokens',
      ['Name', 'Client', 'Owner', 'Ready', 'Reason', 'Expires', 'Age'],
      ['Secret', 'ID'],
      [
        'shown',
        'app',
        'alice',
        'True',
        'Issued',
        '2999-01-01T00:00:00Z',
        AGE,
        'shown-jwt',
        'b54adc00-67f9-11d9-9669-0800200c9a66',
      ],
    ],
    [
      'oauthclients',
      ['Name', 'Client ID', 'Owner', 'Ready', 'Reason', 'Credentials', 'Age'],
      ['Lifetime', 'Issuer'],
      ['shown', 'shown', 'alice', 'True', 'Registered', undefined, AGE, '1h', 'https://a.example'],
    ],
    [
      'signingkeys',
      ['Name', 'Algorithm', 'Ready', 'Reason', 'Age'],
      ['Active'],
      ['shown', 'ES256', 'True', 'Active', AGE, 'a'],
    ],
    [
      'issuedtokens',
      ['Name', 'Client', 'Owner', 'Blacklisted', 'Expires', 'Age'],
      ['Token Name', 'Key'],
      ['shown', 'app', 'alice', true, '2999-01-01T00:00:00Z', AGE, 'reports', 'a'.repeat(43)],
    ],
    [
      'tokenbatches',
      ['Name', 'Client', 'Tokens', 'Blacklisted', 'Expires', 'Age'],
      [],
      ['shown', 'app', 2, 1, '2999-01-01T00:00:00Z', AGE],
    ],
  ])('%s prints its columns, and some with -o wide alone', async (plural, names, wide, cells) => {
    const { columnDefinitions, rows } = await tableOf(plural);
    const at = (priority: number) =>
      columnDefinitions.filter((column) => column.priority === priority).map(({ name }) => name);
    expect(at(0)).toEqual(names);
    expect(at(1)).toEqual(wide);
    const shown = rows[0]?.cells.map((cell) => cell ?? undefined);
    expect(shown).toEqual(cells);
  });
});
