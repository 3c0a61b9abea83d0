import { describe, expect, test } from '@jest/globals';
import { heldTexts } from '../../../operator/domain/held-metadata.ts';
import {
  type Marking,
  markingOf,
  ownAnnotationsOf,
  ownLabelsOf,
  WATCH_SELECTORS,
  watchedBy,
  withController,
} from '../../../operator/domain/own-mark.ts';

const TOKEN = { kind: 'Token', name: 'reports' } as const;
const own = (name: string, madeFor: Parameters<typeof ownAnnotationsOf>[1] = TOKEN) => ({
  name,
  labels: ownLabelsOf(name),
  annotations: ownAnnotationsOf(name, madeFor),
});
const LONG = `${'a'.repeat(200)}.${'b'.repeat(52)}`;

describe('what the marks of an object say', () => {
  test.each<[string, Parameters<typeof markingOf>[0], Marking]>([
    ['as the operator writes them', own('reports'), 'Own'],
    ['with a long name', own(LONG), 'Own'],
    [
      'with a long name, as caches hold them',
      { ...own(LONG), annotations: heldTexts(own(LONG).annotations) },
      'Own',
    ],
    [
      'with the managed-by label of another',
      {
        ...own('reports'),
        labels: { ...ownLabelsOf('reports'), 'app.kubernetes.io/managed-by': 'platform' },
      },
      'Own',
    ],
    ['without the label', { ...own('reports'), labels: {} }, 'Partial'],
    ['without the annotation', { ...own('reports'), annotations: {} }, 'Partial'],
    ['under another name', { ...own('reports'), name: 'mine' }, 'Copy'],
    [
      'under another name, with the label of another',
      { ...own('reports'), name: 'mine', annotations: {} },
      'Copy',
    ],
    ['of another Token', { ...own('x', { kind: 'Token', name: 'other' }), name: 'y' }, 'Copy'],
    [
      'of an earlier version',
      { name: 'reports', labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' } },
      'Legacy',
    ],
    ['of others', { name: 'reports', labels: { 'app.kubernetes.io/managed-by': 'Helm' } }, 'None'],
    ['that are not there', { name: 'reports' }, 'None'],
  ])('%s', (_, metadata, marking) => {
    expect(markingOf(metadata, TOKEN)).toBe(marking);
  });

  test('names of any length are values of a label', () => {
    for (const name of ['a', 'a'.repeat(63), 'a'.repeat(64), LONG]) {
      expect(ownLabelsOf(name)['m2moauth.dev/own-name']).toMatch(
        /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u,
      );
    }
  });
});

test('each object is watched by one selector at most', () => {
  const managed = { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' };
  expect(WATCH_SELECTORS).toEqual({
    OwnName: 'm2moauth.dev/own-name',
    ManagedBy: 'app.kubernetes.io/managed-by=m2m-oauth-operator,!m2moauth.dev/own-name',
  });
  expect(watchedBy({ labels: ownLabelsOf('x') })).toBe('OwnName');
  expect(watchedBy({ labels: managed })).toBe('ManagedBy');
  expect(watchedBy({ labels: { 'm2moauth.dev/own-name': 'x' } })).toBe('OwnName');
  expect(watchedBy({ labels: { 'app.kubernetes.io/managed-by': 'platform' } })).toBeUndefined();
  expect(watchedBy({})).toBeUndefined();
});

test('a controller takes the place of another; other owners stay', () => {
  const owner = (uid: string, controller?: boolean) => ({
    apiVersion: 'v1',
    kind: 'X',
    name: uid,
    uid,
    ...(controller !== undefined && { controller }),
  });
  expect(withController(undefined, owner('new', true))).toEqual([owner('new', true)]);
  expect(withController([owner('old', true), owner('other'), owner('new')], owner('new', true))).toEqual([
    owner('other'),
    owner('new', true),
  ]);
});
