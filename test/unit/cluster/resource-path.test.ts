import { describe, expect, test } from '@jest/globals';
import { collectionPath, objectPath } from '../../support/resource-path.ts';

const ref = (apiVersion: string, kind: string, metadata = {}) => ({ apiVersion, kind, metadata });
const place = { name: 'a', namespace: 'ns' };

describe('resource paths', () => {
  test.each([
    ['a core object', ref('v1', 'Secret', place), '/api/v1/namespaces/ns/secrets/a'],
    ['a namespace', ref('v1', 'Namespace', { name: 'a' }), '/api/v1/namespaces/a'],
    [
      'a custom resource',
      ref('m2moauth.dev/v1alpha1', 'Token', place),
      '/apis/m2moauth.dev/v1alpha1/namespaces/ns/tokens/a',
    ],
    [
      'a cluster-wide object, whatever namespace it carries',
      ref('rbac.authorization.k8s.io/v1', 'ClusterRole', place),
      '/apis/rbac.authorization.k8s.io/v1/clusterroles/a',
    ],
  ])('finds %s', (_, object, path) => {
    expect(objectPath(object)).toBe(path);
  });

  test('appends a subresource', () => {
    expect(objectPath(ref('v1', 'ServiceAccount', place), 'token')).toBe(
      '/api/v1/namespaces/ns/serviceaccounts/a/token',
    );
  });

  test('lists all namespaces where the ref names none', () => {
    expect(collectionPath(ref('events.k8s.io/v1', 'Event'))).toBe('/apis/events.k8s.io/v1/events');
  });

  test.each([
    ['a kind it does not know', ref('v1', 'Widget', place), 'knows no Widget of v1'],
    ['an object without a name', ref('v1', 'Secret', { namespace: 'ns' }), 'Secret without metadata.name'],
    [
      'a namespaced object without a namespace',
      ref('v1', 'Secret', { name: 'a' }),
      'without metadata.namespace',
    ],
  ])('throws for %s', (_, object, message) => {
    expect(() => objectPath(object)).toThrow(message);
  });
});
