import { describe, expect, test } from '@jest/globals';
import type { Token } from '../../../../operator/api/token.ts';
import { planSecretWrite, secretContentOf } from '../../../../operator/domain/token/secret-content.ts';
import {
  findDeviations,
  findSecretFault,
  needsContent,
  overwrittenMessage,
} from '../../../../operator/domain/token/secret-faults.ts';
import type { ObservedSecret } from '../../../../operator/domain/token/token-observation.ts';
import { makeToken } from './fake-token.ts';

const SECRET = { labels: { app: 'x' }, annotations: { note: 'y' } };
const token: Token = { ...makeToken({ secret: SECRET }), status: { id: 'id', clientUID: 'c', issuance: 1 } };
const content = secretContentOf(token, token.status ?? {});

/** The Secret as the operator wrote it, with changes. */
const secret = (change: Partial<ObservedSecret> = {}): ObservedSecret => ({
  name: 'reports',
  uid: 's',
  resourceVersion: '1',
  owned: true,
  controller: 'Token',
  marking: 'Own',
  terminating: false,
  isReduced: false,
  labels: content.labels,
  annotations: content.annotations,
  fields: {
    managedDataKeys: ['token'],
    dataOfOtherManagers: [],
    ownLabels: Object.keys(content.labels),
    ownAnnotations: Object.keys(content.annotations),
  },
  ...change,
});
const { fields } = secret();
const without = (texts: Readonly<Record<string, string>>, ...names: string[]) =>
  Object.fromEntries(Object.entries(texts).filter(([name]) => !names.includes(name)));

describe('the fields of a Secret that are not as the operator writes them', () => {
  test.each<[string, Partial<ObservedSecret>, string[]]>([
    ['none', {}, []],
    [
      'a label and an annotation that others changed',
      {
        labels: { ...content.labels, 'app.kubernetes.io/managed-by': 'platform' },
        annotations: without(content.annotations, 'note'),
      },
      ['metadata.labels["app.kubernetes.io/managed-by"]', 'metadata.annotations["note"]'],
    ],
    ['a lost owner reference', { controller: 'None' }, ['metadata.ownerReferences']],
    [
      'a label that the spec had',
      {
        annotations: {
          ...content.annotations,
          'm2moauth.dev/wrote': '{"data":["token"],"labels":["app","was"],"annotations":["note"]}',
        },
        labels: { ...content.labels, was: 'z' },
        fields: { ...fields, ownLabels: [...fields.ownLabels, 'was'] },
      },
      ['metadata.labels["was"]', 'metadata.annotations["m2moauth.dev/wrote"]'],
    ],
    [
      'what a policy added to the write, which is nothing of the operator’s',
      {
        labels: { ...content.labels, team: 'a' },
        fields: {
          ...fields,
          ownLabels: [...fields.ownLabels, 'team'],
          ownAnnotations: [...fields.ownAnnotations, 'by'],
        },
      },
      [],
    ],
    [
      'a data key that the spec had',
      {
        annotations: {
          ...content.annotations,
          'm2moauth.dev/wrote': '{"data":["jwt"],"labels":["app"],"annotations":["note"]}',
        },
        fields: { ...fields, managedDataKeys: ['jwt', 'token'] },
      },
      ['data["jwt"]', 'metadata.annotations["m2moauth.dev/wrote"]'],
    ],
    [
      'a data key of others in an immutable Secret that was created again, which is nothing of the operator’s',
      { fields: { ...fields, managedDataKeys: ['other', 'token'] } },
      [],
    ],
    [
      'no marks in one of an earlier version, which come with its next write',
      {
        marking: 'Legacy',
        labels: without(content.labels, 'm2moauth.dev/own-name'),
        annotations: without(content.annotations, 'm2moauth.dev/made-as', 'm2moauth.dev/wrote'),
      },
      [],
    ],
    [
      'what the operator wrote before, in one of an earlier version, which records no names',
      { marking: 'Legacy', fields: { ...fields, ownLabels: [...fields.ownLabels, 'was'] } },
      ['metadata.labels["was"]'],
    ],
    [
      'the marks in one of this version',
      { marking: 'Partial', labels: without(content.labels, 'm2moauth.dev/own-name') },
      ['metadata.labels["m2moauth.dev/own-name"]'],
    ],
  ])('%s', (_, change, expected) => {
    expect(findDeviations(secret(change), content).sort()).toEqual(expected.sort());
  });

  test('are a fault that has to be read and repaired, unless the status says that others keep changing them', () => {
    const changed = secret({ labels: { ...content.labels, app: 'z' } });
    expect([findSecretFault(token, changed), needsContent(token, changed)]).toEqual(['Metadata', true]);
    const withCondition = (named: readonly string[]): Token => ({
      ...token,
      status: {
        ...token.status,
        conditions: [
          {
            type: 'SecretOverwritten',
            status: 'True',
            reason: 'FieldsChanged',
            message: overwrittenMessage('reports', named),
            lastTransitionTime: '',
          },
        ],
      },
    });
    const known = withCondition(['metadata.labels["app"]']);
    expect([findSecretFault(known, changed), needsContent(known, changed)]).toEqual([undefined, false]);
    expect(findSecretFault(withCondition(['metadata.labels["other"]']), changed)).toBe('Metadata');
    const lost = secret({ labels: changed.labels, fields: { ...fields, managedDataKeys: [] } });
    expect(findSecretFault(known, lost)).toBe('Content');
  });
});

test('the message names a few fields, and how many more there are', () => {
  const many = Array.from({ length: 10 }, (_, at) => `f${at}`);
  expect(overwrittenMessage('s', many)).toContain('f0, f1, f2, f3, f4, f5, f6, f7, 2 more of Secret "s"');
  expect(overwrittenMessage('s', many.slice(0, 8))).toContain('f6, f7 of Secret "s"');
});

test('data of others is read before a write, though the operator wrote it last', () => {
  const write = (managedDataKeys: string[]) =>
    planSecretWrite(content, secret({ fields: { ...fields, managedDataKeys } }), true);
  expect(write(['token'])).toMatchObject({ readsFirst: false, drop: { data: [] } });
  expect(write(['other', 'token'])).toMatchObject({ readsFirst: true, drop: { data: [] } });
});

test('only names that the operator recorded are removed by a write; all that it owns in a Secret of an earlier version', () => {
  const more = { ...fields, ownLabels: [...fields.ownLabels, 'was', 'team'] };
  const annotations = { ...content.annotations, 'm2moauth.dev/wrote': '{"labels":["was"],"annotations":[]}' };
  const write = (change: Partial<ObservedSecret>) =>
    planSecretWrite(content, secret({ fields: more, annotations, ...change }), true).drop.labels;
  expect(write({})).toEqual(['was']);
  expect(write({ marking: 'Legacy' })).toEqual(['was', 'team']);
  expect(write({ annotations: { ...annotations, 'm2moauth.dev/wrote': 'no JSON' } })).toEqual([]);
  const none = secretContentOf(makeToken(), { id: 'id' });
  expect(none.annotations).not.toHaveProperty(['m2moauth.dev/wrote']);
  expect(planSecretWrite(none, secret(), true).drop).toEqual({
    data: [],
    labels: ['app'],
    annotations: ['note', 'm2moauth.dev/wrote'],
  });
});
