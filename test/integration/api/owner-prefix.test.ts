import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { customResourceDefinitions } from '../../../crds/generator/definitions.ts';
import { bodyOf, type KubeObject, type Ref, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';

/**
 * An upgrade: OAuthClients that were stored before `ownerPrefix` was required. They are of another group, whose CRD is first that of
 * the revision before.
 */

const GROUP = 'upgraded.m2moauth.dev';
const api = testApi();
let namespace: string;
let definition: KubeObject;

// biome-ignore lint/suspicious/noExplicitAny: a schema of Kubernetes, of which the test changes one rule
const own = (): any => {
  const crd = customResourceDefinitions().find(({ metadata }) => metadata.name.startsWith('oauthclients.'));
  const copy = JSON.parse(JSON.stringify(crd));
  copy.metadata = { name: `oauthclients.${GROUP}` };
  copy.spec.group = GROUP;
  const { plural, singular, kind, listKind } = copy.spec.names;
  copy.spec.names = { plural, singular, kind, listKind };
  return copy;
};

const before = () => {
  const crd = own();
  const { authentication } = crd.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties;
  const schema = authentication.properties.trustedIssuers.items;
  const rules = schema['x-kubernetes-validations'];
  schema['x-kubernetes-validations'] = rules.filter(
    ({ message }: { message: string }) => !message.includes('ownerPrefix'),
  );
  expect(rules.length - schema['x-kubernetes-validations'].length).toBe(1);
  return crd;
};

const STORED = { authority: 'https://a.example', audience: 'us' };
const client = (name: string, trustedIssuers?: readonly object[]): Ref => ({
  apiVersion: `${GROUP}/v1alpha1`,
  kind: 'OAuthClient',
  metadata: { namespace, name },
  spec: { owner: 'alice', ...(trustedIssuers && { authentication: { trustedIssuers } }) },
});
const dryRun = { query: { dryRun: 'All' } };
const patch = (spec: object) => api.patch(client('stored'), 'merge', { spec }, dryRun);
const trusting = (trustedIssuers: readonly object[] | null) => patch({ authentication: { trustedIssuers } });

beforeAll(async () => {
  namespace = await api.createNamespace('prefix');
  bodyOf(await api.create(before()));
  await eventually(async () => bodyOf(await api.create(client('stored', [STORED]))), { timeoutMs: 30_000 });
  bodyOf(await api.create(client('without')));
  definition = bodyOf(await api.get(own()));
  const { resourceVersion } = definition.metadata;
  bodyOf(await api.replace({ ...own(), metadata: { ...own().metadata, resourceVersion } }));
  await eventually(async () => (await api.create(client('probe', [STORED]), dryRun)).status === 422, {
    timeoutMs: 30_000,
  });
}, 90_000);
afterAll(async () => {
  await api.delete(own());
  await api.close();
});

test.each<[string, () => ReturnType<typeof api.patch>]>([
  ['with another owner', () => patch({ owner: 'bob' })],
  ['suspended', () => patch({ suspended: true })],
  ['with a label', () => api.patch(client('stored'), 'merge', { metadata: { labels: { a: 'b' } } }, dryRun)],
  [
    'with a status',
    () =>
      api.patch(
        client('stored'),
        'merge',
        { status: { clientID: 'a' } },
        { ...dryRun, subresource: 'status' },
      ),
  ],
  ['with the prefix', () => trusting([{ ...STORED, ownerPrefix: 'a:' }])],
  ['with an empty prefix', () => trusting([{ ...STORED, ownerPrefix: '' }])],
  [
    'with one more issuer that has a prefix',
    () => trusting([STORED, { ...STORED, audience: 'b', ownerPrefix: '' }]),
  ],
  ['without the issuer', () => trusting(null)],
])('a stored entry without ownerPrefix goes on in a client %s', async (_name, write) => {
  expect(await write()).toMatchObject({ status: 200 });
});

const REJECTED = { status: 422, body: { message: expect.stringContaining('ownerPrefix is required') } };

test.each<[string, () => ReturnType<typeof api.patch>]>([
  ['another authority', () => trusting([{ ...STORED, authority: 'https://b.example' }])],
  ['another audience', () => trusting([{ ...STORED, audience: 'b' }])],
  ['another setting', () => trusting([{ ...STORED, claims: ['email'] }])],
  ['one more without ownerPrefix', () => trusting([STORED, { ...STORED, audience: 'b' }])],
])('a stored entry without ownerPrefix needs one with %s', async (_name, write) => {
  expect(await write()).toMatchObject(REJECTED);
});

test('an entry of a new client, or a new entry of a stored one, needs ownerPrefix', async () => {
  expect(await api.create(client('new', [STORED]), dryRun)).toMatchObject(REJECTED);
  const added = { spec: { authentication: { trustedIssuers: [STORED] } } };
  expect(await api.patch(client('without'), 'merge', added, dryRun)).toMatchObject(REJECTED);
  expect(await api.create(client('new', [{ ...STORED, ownerPrefix: '' }]), dryRun)).toMatchObject({
    status: 201,
  });
});
