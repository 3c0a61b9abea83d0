import { describe, expect, test } from '@jest/globals';
import { API_VERSION, type OwnerReference } from '../../../../operator/api/meta.ts';
import {
  mayBeTakenOver,
  provesOwnership,
  secretControllerOf,
} from '../../../../operator/domain/token/secret-faults.ts';
import type { ObservedJwt, ObservedSecret } from '../../../../operator/domain/token/token-observation.ts';
import { makeToken } from './fake-token.ts';

const token = makeToken();
const reference: OwnerReference = {
  apiVersion: API_VERSION,
  kind: 'Token',
  name: 'reports',
  uid: token.metadata.uid,
  controller: true,
};

test.each<[string, readonly OwnerReference[] | undefined, string]>([
  ['no reference', undefined, 'None'],
  ['a reference that does not control', [{ ...reference, controller: false }], 'None'],
  ['its own', [{ ...reference, controller: false, uid: 'x' }, reference], 'Token'],
  ['that of an earlier Token of its name', [{ ...reference, uid: 'earlier' }], 'Predecessor'],
  ['that of another Token', [{ ...reference, uid: 'x', name: 'other' }], 'Other'],
  ['that of another kind', [{ ...reference, uid: 'x', kind: 'OAuthClient' }], 'Other'],
  ['that of another API', [{ ...reference, uid: 'x', apiVersion: 'example.com/v1' }], 'Other'],
])('the controller of a Secret with %s', (_, references, controller) => {
  expect(secretControllerOf(token, references)).toBe(controller);
});

const secret = (of: Partial<ObservedSecret>): ObservedSecret => ({
  name: 'reports',
  uid: 's',
  resourceVersion: '1',
  owned: false,
  controller: 'None',
  marking: 'Own',
  terminating: false,
  isReduced: false,
  labels: {},
  annotations: { 'm2moauth.dev/token-id': 'x' },
  fields: { managedDataKeys: [], dataOfOtherManagers: [], ownLabels: [], ownAnnotations: [] },
  ...of,
});

describe('a Secret that has to be read, since a JWT in it may prove that the Token owns it', () => {
  const moved = { ...token, status: { secretRef: { name: 'elsewhere' } } };
  test.each<[boolean, string, Partial<ObservedSecret>, typeof token?]>([
    [true, 'with its marks', {}],
    [true, 'with its marks and the reference of an earlier Token', { controller: 'Predecessor' }],
    [false, 'that another resource controls', { controller: 'Other' }],
    [false, 'that it controls: nothing has to be proved', { controller: 'Token' }],
    [false, 'that is being deleted', { terminating: true }],
    [false, 'with the marks of another', { marking: 'Copy' }],
    [false, 'with half of its marks', { marking: 'Partial' }],
    [false, 'without marks', { marking: 'None' }],
    [true, 'of an earlier version, under the name of the Token', { marking: 'Legacy' }],
    [true, 'of an earlier version, where the status says', { marking: 'Legacy', name: 'elsewhere' }, moved],
    [false, 'of an earlier version, under another name', { marking: 'Legacy', name: 'elsewhere' }],
    [false, 'with no more than the label of an earlier version', { marking: 'Legacy', annotations: {} }],
  ])('%s: one %s', (expected, _, of, asking = token) => {
    expect(mayBeTakenOver(asking, secret(of))).toBe(expected);
  });
});

test('a JWT proves it if it was issued for the Token of that namespace and name', () => {
  const jwt = (claim: unknown): ObservedJwt => ({
    dataKey: 'token',
    kid: 'k',
    claims: { 'm2moauth.dev/token': claim },
  });
  expect(provesOwnership(token, [])).toBe(false);
  expect(provesOwnership(token, [jwt(undefined), jwt('team/other'), jwt('other/reports')])).toBe(false);
  expect(provesOwnership(token, [jwt('team/other'), jwt('team/reports')])).toBe(true);
});
