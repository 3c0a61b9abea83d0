import { beforeEach, describe, expect, test } from '@jest/globals';
import type { ObjectMeta } from '../../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { KeyPhase } from '../../../../operator/api/signing-key.ts';
import type { Token, TokenStatus } from '../../../../operator/api/token.ts';
import { type CachedNamespace, cachedNamespaceOf } from '../../../../operator/domain/cached-namespace.ts';
import type { SecretMeta } from '../../../../operator/ports/secrets.ts';
import type { Keyring } from '../../../../operator/ports/signing.ts';
import {
  followerOf,
  SECRET_INDEXERS,
  TOKEN_INDEXERS,
  tokenTriggers,
} from '../../../../operator/reconcilers/token/token-triggers.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { makeClient, makeToken } from '../../domain/token/fake-token.ts';

const log = recordedLog();
const phases = new Map<string, KeyPhase | 'Compromised'>();
const keyringHandlers = new Set<() => void>();
const namedHandlers = new Set<(owner: string) => void>();
const keyring: Keyring = {
  active: () => {
    const [kid] = [...phases].find(([, phase]) => phase === 'Active') ?? [];
    return kid === undefined ? undefined : { kid, algorithm: 'ES256', sign: async () => '' };
  },
  phase: (kid) => phases.get(kid),
  verify: async () => undefined,
  onChange: (handler) => {
    keyringHandlers.add(handler);
    return () => keyringHandlers.delete(handler);
  },
};

const setUp = () => {
  const tokens = new ObjectStore<Token>({ log, indexers: TOKEN_INDEXERS });
  const clients = new ObjectStore<OAuthClient>({ log });
  const secrets = new ObjectStore<SecretMeta>({ log, indexers: SECRET_INDEXERS });
  const namespaces = new ObjectStore<CachedNamespace>({ log });
  const added: string[] = [];
  const stop = tokenTriggers({
    tokens,
    clients,
    secrets,
    namespaces,
    keyring,
    named: {
      get: () => undefined,
      follow: () => true,
      onChange: (handler) => {
        namedHandlers.add(handler);
        return () => namedHandlers.delete(handler);
      },
    },
    clock: new FakeClock(),
    queue: { add: (key, priority = 'normal') => added.push(`${key} ${priority}`) },
  });
  let version = 0;
  const uids = new Map<string, string>();
  const identify = (key: string) => {
    version += 1;
    const uid = uids.get(key) ?? `d9a1b6a5-0ad1-4f3e-9a55-${String(version).padStart(12, '0')}`;
    uids.set(key, uid);
    return { uid, resourceVersion: String(version) };
  };
  const putToken = (name: string, status?: TokenStatus, change: Partial<Token['spec']> = {}) => {
    const token = makeToken(change, { name, ...identify(`token ${name}`) });
    tokens.apply(status ? { ...token, status } : token);
    return token;
  };
  const putClient = (spec: Partial<OAuthClient['spec']> = {}, metadata: Partial<ObjectMeta> = {}) => {
    const client = makeClient(spec);
    clients.apply({ ...client, metadata: { ...client.metadata, ...metadata, ...identify('client') } });
  };
  const putNamespace = (labels: Record<string, string>, more: Partial<ObjectMeta> = {}) => {
    const metadata = {
      ...makeToken().metadata,
      ...identify('namespace'),
      name: 'team',
      namespace: '',
      labels,
      ...more,
    };
    namespaces.apply(cachedNamespaceOf({ apiVersion: 'v1', kind: 'Namespace', metadata }));
  };
  const sync = () => {
    for (const store of [tokens, clients, secrets, namespaces]) store.markSynced();
    added.length = 0;
  };
  return { tokens, secrets, added, stop, putToken, putClient, putNamespace, identify, sync };
};

const issued = (keyID: string, more: TokenStatus = {}): TokenStatus => ({ id: 'x', keyID, ...more });
const waiting: TokenStatus = {
  conditions: [
    { type: 'Ready', status: 'False', reason: 'SigningKeyNotReady', message: '', lastTransitionTime: '' },
  ],
};

describe('what puts a Token into the queue', () => {
  beforeEach(() => {
    phases.clear();
    phases.set('key-1', 'Active');
    keyringHandlers.clear();
    namedHandlers.clear();
  });

  test('its own change: the first list at low priority, a revocation at high', () => {
    const { added, putToken, sync } = setUp();
    putToken('a');
    expect(added).toEqual(['team/a low']);
    sync();
    putToken('a');
    putToken('a', undefined, { revoked: true });
    putToken('a', { version: 1 }, { revoked: true });
    putToken('b', { blacklisted: { flag: true, timestamp: '' } });
    expect(added).toEqual(['team/a normal', 'team/a high', 'team/a normal', 'team/b high']);
  });

  test('its client, but not the client’s metadata or the Tokens of others', () => {
    const { added, putToken, putClient, sync } = setUp();
    putToken('a');
    putToken('b', undefined, { clientRef: { name: 'other' } });
    putClient();
    sync();
    putClient({}, { labels: { a: 'b' } });
    expect(added).toEqual([]);
    putClient({ suspended: true });
    expect(added).toEqual(['team/a low']);
  });

  test('its namespace’s labels, where its client selects by them', () => {
    const { added, putToken, putClient, putNamespace, sync } = setUp();
    putToken('a');
    putClient({ allowedNamespaces: { from: 'Selector', selector: {} } });
    putNamespace({});
    sync();
    putNamespace({}, { annotations: { a: 'b' } });
    expect(added).toEqual([]);
    putNamespace({ a: 'b' });
    expect(added).toEqual(['team/a low']);
    putClient({ allowedNamespaces: { from: 'Same' } });
    added.length = 0;
    putNamespace({ a: 'c' });
    expect(added).toEqual([]);
  });

  test('its Secret, and an unmanaged one of that name', () => {
    const { added, putToken, secrets, identify, sync } = setUp();
    const { metadata } = putToken('a');
    putToken('b', undefined, { secret: { name: 'a' } });
    sync();
    const owner = {
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'Token',
      name: 'a',
      uid: metadata.uid,
      controller: true,
    };
    const fields = { managedDataKeys: [], dataOfOtherManagers: [], ownLabels: [], ownAnnotations: [] };
    secrets.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      isReduced: false,
      metadata: { ...metadata, ...identify('secret'), name: 'a', ownerReferences: [owner] },
      fields,
    });
    expect(added).toEqual(['team/a normal', 'team/b normal']);
  });

  test('a Secret that a thousand Tokens ask for, at low priority and not all at once', () => {
    const { added, putToken, secrets, identify, sync } = setUp();
    for (let n = 0; n < 1_000; n += 1) putToken(`t${n}`, undefined, { secret: { name: 'shared' } });
    sync();
    const metadata = { ...makeToken().metadata, ...identify('secret'), name: 'shared' };
    const fields = { managedDataKeys: [], dataOfOtherManagers: [], ownLabels: [], ownAnnotations: [] };
    secrets.apply({ apiVersion: 'v1', kind: 'Secret', isReduced: false, metadata, fields });
    expect(added.length).toBeLessThanOrEqual(500);
    expect(added[0]).toBe('team/t0 low');
  });

  test('a key that is retired, for JWTs without expiration alone; one that is rejected, for all', () => {
    const { added, putToken, sync } = setUp();
    putToken('bounded', issued('key-1', { expiration: '2026-01-01T00:00:00Z' }));
    putToken('unbounded', issued('key-1'));
    putToken('other', issued('key-2'));
    putToken('waiting', waiting);
    sync();
    const queued = () => {
      added.length = 0;
      for (const handler of keyringHandlers) handler();
      return added.toSorted();
    };
    expect(queued()).toEqual([]);
    phases.set('key-1', 'Retired');
    expect(queued()).toEqual(['team/unbounded low', 'team/waiting low']);
    phases.set('key-2', 'Active');
    expect(queued()).toEqual(['team/waiting low']);
    phases.set('key-1', 'Compromised');
    expect(queued()).toEqual(['team/bounded low', 'team/unbounded low']);
    expect(queued()).toEqual([]);
  });

  test('a key of an earlier JWT, where it is rejected, and not where it is retired', () => {
    const { added, putToken, sync } = setUp();
    phases.set('key-0', 'Published');
    const earlier = { id: 'b', keyID: 'key-0', issuedAt: '', expiration: '2026-01-01T00:00:00Z' };
    putToken('renewed', issued('key-1', { previous: [earlier] }));
    putToken('other', issued('key-1'));
    sync();
    phases.set('key-0', 'Retired');
    for (const handler of keyringHandlers) handler();
    expect(added).toEqual([]);
    phases.set('key-0', 'Compromised');
    for (const handler of keyringHandlers) handler();
    expect(added).toEqual(['team/renewed low']);
  });

  test('a Secret that it follows, and not those that others follow', () => {
    const { added, stop } = setUp();
    for (const handler of namedHandlers) {
      handler(followerOf('team/a'));
      handler('client:team/a');
    }
    expect(added).toEqual(['team/a normal']);
    stop();
    expect(namedHandlers.size + keyringHandlers.size).toBe(0);
  });
});
