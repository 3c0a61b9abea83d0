import { expect, test } from '@jest/globals';
import { ownAnnotationsOf, ownLabelsOf } from '../../../../operator/domain/own-mark.ts';
import { tokenId } from '../../../../operator/domain/token/declared-token.ts';
import { SECRET_INDEXERS, TOKEN_INDEXERS } from '../../../../operator/reconcilers/token/token-triggers.ts';
import { makeToken } from '../../domain/token/fake-token.ts';

const token = {
  ...makeToken({ secret: { name: 's' }, clientRef: { name: 'app', namespace: 'platform' } }),
  status: {
    id: 'current',
    issuance: 4,
    owner: 'alice',
    keyID: 'key-2',
    previous: [{ id: 'earlier', issuedAt: '', expiration: '', keyID: 'key-1' }],
    conditions: [
      { type: 'Ready', status: 'True' as const, reason: 'Issued', message: '', lastTransitionTime: '' },
      {
        type: 'Renewing',
        status: 'False' as const,
        reason: 'SecretRefused',
        message: '',
        lastTransitionTime: '',
      },
    ],
  },
};

test('a Token is found by client, keys, reasons, Secret, namespace, owner and every id, the next among them', () => {
  const found = Object.fromEntries(
    Object.entries(TOKEN_INDEXERS).map(([name, index]) => [name, index(token)]),
  );
  expect(found).toEqual({
    client: ['platform/app'],
    kid: ['key-2'],
    anyKid: ['key-2', 'key-1'],
    reason: ['Issued', 'SecretRefused'],
    state: ['Issued'],
    secret: ['team/s'],
    namespace: ['team'],
    id: ['current', 'earlier', tokenId(token.metadata.uid, 5)],
    owner: ['alice'],
  });
});

test('a Secret is found by the Token that controls it, under its own name, and by nothing else', () => {
  const owner = { apiVersion: 'm2moauth.dev/v1alpha1', kind: 'Token', name: 'a', uid: 'u', controller: true };
  const marks = {
    labels: ownLabelsOf('reports'),
    annotations: ownAnnotationsOf('reports', { kind: 'Token', name: 'a' }),
  };
  const secret = (ownerReferences: (typeof owner)[], metadata: object = marks) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    isReduced: false,
    metadata: { ...token.metadata, ownerReferences, ...metadata },
    fields: { managedDataKeys: [], dataOfOtherManagers: [], ownLabels: [], ownAnnotations: [] },
  });
  expect(SECRET_INDEXERS.token?.(secret([owner]))).toEqual(['u']);
  expect(SECRET_INDEXERS.token?.(secret([owner], { labels: marks.labels }))).toEqual(['u']);
  expect(SECRET_INDEXERS.token?.(secret([owner], { ...marks, name: 'copy' }))).toEqual([]);
  expect(SECRET_INDEXERS.token?.(secret([owner], {}))).toEqual([]);
  expect(SECRET_INDEXERS.token?.(secret([{ ...owner, controller: false }]))).toEqual([]);
  expect(SECRET_INDEXERS.token?.(secret([{ ...owner, kind: 'OAuthClient' }]))).toEqual([]);
});
