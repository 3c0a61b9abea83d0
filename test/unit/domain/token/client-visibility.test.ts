import { expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { FakeToken, makeClient, makeToken } from './fake-token.ts';

/** What a Token shows of a client in another namespace (spec §2.1, `ClientNotFound`). */

const ELSEWHERE = { clientRef: { name: 'app', namespace: 'platform' } };

const elsewhere = (spec: Parameters<typeof makeClient>[0] = {}): OAuthClient => {
  const client = makeClient(spec);
  return { ...client, metadata: { ...client.metadata, namespace: 'platform' } };
};

/** The whole status that a Token ends with. */
const statusBeside = async (client: OAuthClient | undefined, labels: Record<string, string> = {}) => {
  const fake = new FakeToken(makeToken(ELSEWHERE));
  fake.client = client;
  fake.namespaceLabels = labels;
  await fake.reconcile();
  return fake.status;
};

const SELECTOR = { from: 'Selector', selector: { matchLabels: { team: 'a' } } } as const;

test.each<[string, OAuthClient]>([
  ['allows its own namespace only', elsewhere()],
  ['allows its own namespace only, as it says', elsewhere({ allowedNamespaces: { from: 'Same' } })],
  ['allows namespaces with another label', elsewhere({ allowedNamespaces: SELECTOR })],
  ['has no selector', elsewhere({ allowedNamespaces: { from: 'Selector' } })],
  ['is suspended', elsewhere({ suspended: true })],
  ['has no grant', elsewhere({ allowedGrantTypes: [] })],
  ['is not registered', { ...elsewhere(), status: {} }],
])('a client of another namespace that %s looks as one that does not exist', async (_, client) => {
  const absent = await statusBeside(undefined);
  expect(absent.conditions).toEqual([
    expect.objectContaining({ type: 'Ready', status: 'False', reason: 'ClientNotFound' }),
  ]);
  expect(await statusBeside(client, { team: 'b' })).toEqual(absent);
});

test('the message says what both may mean', async () => {
  const [ready] = (await statusBeside(undefined)).conditions ?? [];
  expect(ready?.message).toBe(
    'OAuthClient platform/app does not exist, or its spec.allowedNamespaces does not allow Tokens in this namespace',
  );
});

test('a client that has allowed the namespace before is named as the one that does not any more', async () => {
  const fake = new FakeToken(makeToken(ELSEWHERE));
  fake.client = elsewhere({ allowedNamespaces: { from: 'All' } });
  await fake.reconcile();
  fake.client = elsewhere({ allowedNamespaces: { from: 'Same' } });
  await fake.reconcile();
  expect(fake.status.conditions?.[0]).toMatchObject({ reason: 'NamespaceNotAllowed' });
});

test('a client that was made again and never allowed the namespace looks as one that is gone', async () => {
  const issued = async () => {
    const fake = new FakeToken(makeToken(ELSEWHERE));
    fake.client = elsewhere({ allowedNamespaces: { from: 'All' } });
    await fake.reconcile();
    return fake;
  };
  const [gone, again] = [await issued(), await issued()];
  gone.client = undefined;
  again.client = { ...elsewhere(), metadata: { ...elsewhere().metadata, uid: 'client-2' } };
  for (const fake of [gone, again]) await fake.reconcile();
  expect(again.status).toEqual(gone.status);
  expect(again.status.conditions?.[0]?.reason).toBe('ClientNotFound');
});

test.each([
  ['does not exist', undefined, 'ClientNotFound', 'OAuthClient team/app does not exist'],
  [
    'does not allow it',
    makeClient({ allowedNamespaces: SELECTOR }),
    'NamespaceNotAllowed',
    'OAuthClient team/app does not allow Tokens in this namespace: its spec.allowedNamespaces decides',
  ],
])('of a client of the same namespace it says that it %s', async (_, client, reason, message) => {
  const fake = new FakeToken();
  fake.client = client;
  await fake.reconcile();
  expect(fake.status.conditions?.[0]).toMatchObject({ reason, message });
});
