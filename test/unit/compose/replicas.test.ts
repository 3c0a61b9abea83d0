import { expect, test } from '@jest/globals';
import { podOwner } from '../../../operator/compose/replicas.ts';

const POD = { POD_NAME: 'operator-0', POD_UID: 'uid', POD_NAMESPACE: 'system' };

test('this Pod owns objects in its namespace', () => {
  expect(podOwner(POD, 'system')).toEqual({ apiVersion: 'v1', kind: 'Pod', name: 'operator-0', uid: 'uid' });
});

// The garbage collector deletes an object whose owner is not in its namespace.
test.each([
  ['another namespace', POD, 'other'],
  ['no namespace', { ...POD, POD_NAMESPACE: undefined }, 'system'],
  ['no uid', { ...POD, POD_UID: undefined }, 'system'],
  ['an empty uid', { ...POD, POD_UID: '' }, 'system'],
  ['no name', { ...POD, POD_NAME: undefined }, 'system'],
])('nothing is owned with %s', (_, env, namespace) => {
  expect(podOwner(env, namespace)).toBeUndefined();
});
