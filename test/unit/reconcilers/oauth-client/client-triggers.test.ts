import { beforeEach, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { CacheChange } from '../../../../operator/ports/cache.ts';
import { clientIndexers } from '../../../../operator/reconcilers/oauth-client/client-indexes.ts';
import {
  clientFollowerOf,
  clientOfFollower,
  clientOfSecret,
  clientsWithoutIssuer,
  clientTriggers,
} from '../../../../operator/reconcilers/oauth-client/client-triggers.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { recordedLog } from '../../../support/quiet.ts';

let clients: ObjectStore<OAuthClient>;
let triggered: string[][];
let version: number;

const clientOf = (name: string, claim: string, held?: string): OAuthClient => ({
  apiVersion: 'm2moauth.dev/v1alpha1',
  kind: 'OAuthClient',
  metadata: {
    name,
    namespace: 'team',
    uid: `uid-${name}`,
    resourceVersion: String(++version),
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: {
    clientID: claim,
    accessTokenLifetime: '1h',
    allowedGrantTypes: ['client_credentials'],
    recording: 'PerToken',
  },
  ...(held && { status: { clientID: held } }),
});

beforeEach(() => {
  version = 0;
  clients = new ObjectStore<OAuthClient>({ log: recordedLog(), indexers: clientIndexers() });
  clients.apply(clientOf('a', 'shared'));
  clients.apply(clientOf('b', 'shared'));
  clients.apply(clientOf('c', 'other'));
  triggered = [];
  clients.onChange((change: CacheChange<OAuthClient>) =>
    triggered.push(clientTriggers(change, clients).sort()),
  );
});

test('a new or changed client is looked at alone', () => {
  clients.apply(clientOf('d', 'shared'));
  clients.apply(clientOf('d', 'shared'));
  expect(triggered).toEqual([['team/d'], ['team/d']]);
});

test('all clients with an ID are reconciled when one becomes registered, ceases to be, or is deleted', () => {
  clients.apply(clientOf('a', 'shared', 'shared'));
  clients.apply(clientOf('a', 'shared'));
  clients.forget('team/a', 'uid-a');
  expect(triggered).toEqual([['team/a', 'team/b'], ['team/a', 'team/b'], ['team/b']]);
});

test('a Secret leads to the client that controls it, a follower to the client that follows', () => {
  const owner = { apiVersion: 'm2moauth.dev/v1alpha1', kind: 'OAuthClient', name: 'a', uid: 'uid-a' };
  const secret = (ownerReferences: object[]) =>
    ({ metadata: { ...clientOf('s', 's').metadata, ownerReferences } }) as Parameters<
      typeof clientOfSecret
    >[0];
  expect(clientOfSecret(secret([{ ...owner, controller: true }]))).toBe('team/a');
  expect(clientOfSecret(secret([owner]))).toBeUndefined();
  expect(clientOfSecret(secret([{ ...owner, kind: 'Token', controller: true }]))).toBeUndefined();
  expect(clientOfFollower(clientFollowerOf('team/a'))).toBe('team/a');
  expect(clientOfFollower('token:team/a')).toBeUndefined();
});

test('clients without an issuer depend on other installations, also those that an earlier release has registered', () => {
  const registered = clientOf('a', 'shared', 'shared');
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Registered',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
    observedGeneration: 1,
  } as const;
  clients.apply({ ...registered, status: { clientID: 'shared', conditions: [ready] } });
  clients.apply({ ...clientOf('b', 'shared'), status: { issuer: 'https://issuer.example.com' } });
  const chosen = clientOf('d', 'chosen');
  clients.apply({ ...chosen, spec: { ...chosen.spec, issuer: 'https://issuer.example.com' } });
  expect(clientsWithoutIssuer(clients).sort()).toEqual(['team/a', 'team/c']);
});
