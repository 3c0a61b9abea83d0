import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf, namespaceOf, type Ref, testApi } from '../../support/api.ts';
import { applyObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import { renderChart } from '../../support/helm.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';
import { client } from '../api/objects.ts';

/** The chart's rule on owners and client IDs, as a real API server enforces it. */

const api = testApi();
const withHelm = suiteUnless(await whyMissing('helm'));

/** A namespace, another one whose name begins with its name, and one that the rule excludes. */
let team: string;
let neighbor: string;
let excluded: string;
let installed: Ref[] = [];
let count = 0;

const isPolicy = ({ kind }: { kind: string }): boolean => kind.startsWith('ValidatingAdmissionPolicy');

const render = async (values: Record<string, unknown>): Promise<Ref[]> =>
  (await renderChart({ 'ownerPolicy.enabled': true, 'rbac.statusPolicy': 'Never', ...values })).filter(
    isPolicy,
  );

const makeClient = (namespace: string, spec: object, name = `client-${++count}`): Ref =>
  client({ clientID: `${namespace}/${name}`, owner: namespace, ...spec }, { namespace, name });

/** `ok`, or the message of the rejection. */
const tryTo = async (answer: ReturnType<typeof api.create>): Promise<string> => {
  const { status, body } = await answer;
  if (status < 300) return 'ok';
  expect(status).toBe(403);
  return body.message;
};
const create = (namespace: string, spec: object, name?: string): Promise<string> =>
  tryTo(api.create(makeClient(namespace, spec, name)));

const trusting = (...prefixes: string[]) => ({
  authentication: {
    trustedIssuers: prefixes.map((ownerPrefix, at) => ({
      authority: `https://idp-${at}.example.com`,
      audience: 'us',
      ownerPrefix,
    })),
  },
});

/** An OAuthClient that was there before the rule. */
const OLD = { owner: 'somebody', clientID: 'flat', ...trusting('', 'flat-') };

withHelm('owners and client IDs', () => {
  beforeAll(async () => {
    team = await api.createNamespace('team');
    neighbor = `${team}-b`;
    excluded = await api.createNamespace('excluded');
    bodyOf(await api.create(namespaceOf(neighbor)));
    bodyOf(await api.create(makeClient(team, OLD, 'old')));
    installed = await render({
      watchNamespaces: [team, neighbor, excluded],
      'ownerPolicy.excludedNamespaces': [excluded],
    });
    expect(installed).toHaveLength(2);
    await applyObjects(api, installed);
    // The API server takes a while to enforce a new policy.
    await eventually(async () => (await create(team, { owner: 'nobody' })) !== 'ok', { timeoutMs: 30_000 });
  }, 900_000);
  afterAll(async () => {
    for (const object of installed.toReversed()) await api.delete(object);
    if (neighbor) await api.delete(namespaceOf(neighbor));
    await api.close();
  });

  test.each([
    ['the namespace itself', () => ({ owner: team })],
    ['the namespace, the separator and a name', () => ({ owner: `${team}/reports` })],
    ['no owner, and an issuer with a prefix', () => ({ owner: undefined, ...trusting(`${team}/`) })],
    ['two issuers with prefixes', () => trusting(`${team}/`, `${team}/partner-`)],
    ['the namespace as client ID', () => ({ clientID: team })],
  ])('may be %s', async (_, spec) => {
    expect(await create(team, spec())).toBe('ok');
  });

  test.each<[string, () => object, string]>([
    ['an owner with another name', () => ({ owner: 'alice' }), 'spec.owner has to be'],
    ['the owner of another namespace', () => ({ owner: neighbor }), 'spec.owner has to be'],
    ['an owner below another namespace', () => ({ owner: `${neighbor}/x` }), 'spec.owner has to be'],
    ['an owner that continues the name', () => ({ owner: `${team}x` }), 'spec.owner has to be'],
    ['an owner with another separator', () => ({ owner: `${team}:x` }), 'spec.owner has to be'],
    ['an owner in capitals', () => ({ owner: team.toUpperCase() }), 'spec.owner has to be'],
    ['another client ID', () => ({ clientID: 'app' }), 'spec.clientID, or the name without it, has to be'],
    ['a client ID of another namespace', () => ({ clientID: `${neighbor}/x` }), 'spec.clientID'],
    ['no client ID, and another name', () => ({ clientID: undefined }), 'spec.clientID'],
    ['an issuer with an empty prefix', () => trusting(''), 'trustedIssuers[].ownerPrefix has to begin'],
    ['an issuer whose claims continue the name', () => trusting(team), 'ownerPrefix'],
    ['an issuer with the prefix of another namespace', () => trusting(`${neighbor}/`), 'ownerPrefix'],
    ['one of two issuers with an empty prefix', () => trusting(`${team}/`, ''), 'ownerPrefix'],
  ])('may not be %s', async (_, spec, message) => {
    const rejection = await create(team, spec());
    expect(rejection).toContain(message);
    expect(rejection).toContain(`"${team}/"`);
  });

  test('may not belong to the shorter name for the longer one either', async () => {
    expect(await create(neighbor, { owner: team })).toContain('spec.owner');
    expect(await create(neighbor, { owner: `${team}/b` })).toContain('spec.owner');
    expect(await create(neighbor, {})).toBe('ok');
  });

  test('may be anything in an excluded namespace', async () => {
    expect(await create(excluded, OLD)).toBe('ok');
  });

  test('may be the name of the client if it has no client ID', async () => {
    expect(await create(team, { clientID: undefined }, team)).toBe('ok');
  });

  describe('of a client that was there before', () => {
    const ref = () => makeClient(team, {}, 'old');
    const change = (spec: object): Promise<string> => tryTo(api.patch(ref(), 'merge', { spec }));

    test('stay, whatever else changes', async () => {
      expect(await change({ suspended: true })).toBe('ok');
      expect(await change({ allowedScopes: ['read'] })).toBe('ok');
      expect(await tryTo(api.patch(ref(), 'merge', { metadata: { labels: { a: 'b' } } }))).toBe('ok');
    });

    test('are not changed to others that break the rule', async () => {
      expect(await change({ owner: 'somebody-else' })).toContain('spec.owner');
      expect(await change(trusting('', 'flat-', 'other-'))).toContain('ownerPrefix');
      expect(await change(trusting('', ''))).toContain('ownerPrefix');
      expect(bodyOf(await api.get(ref())).spec).toMatchObject(OLD);
    });

    test('keep an issuer whose other fields change, and lose one', async () => {
      const [first, second] = OLD.authentication.trustedIssuers;
      const changed = [first, { ...second, audience: 'them' }];
      expect(await change({ authentication: { trustedIssuers: changed } })).toBe('ok');
      expect(await change({ authentication: { trustedIssuers: [first] } })).toBe('ok');
    });

    test('are changed to such that follow it, and not back', async () => {
      expect(await change({ owner: `${team}/somebody` })).toBe('ok');
      expect(await change({ owner: OLD.owner })).toContain('spec.owner');
    });

    test('go with it', async () => {
      expect((await api.delete(ref())).status).toBe(200);
    });
  });
});

withHelm('the policy', () => {
  test('is not there by default', async () => {
    expect((await renderChart({ 'rbac.statusPolicy': 'Never' })).filter(isPolicy)).toEqual([]);
  });

  test('does not apply to the namespace of the release, nor to excluded ones', async () => {
    const [, binding] = await render({ 'ownerPolicy.excludedNamespaces': ['platform'] });
    const key = 'kubernetes.io/metadata.name';
    const values = ['m2m-oauth-system', 'platform'];
    expect(binding?.spec).toMatchObject({
      matchResources: { namespaceSelector: { matchExpressions: [{ key, operator: 'NotIn', values }] } },
    });
  });
});
