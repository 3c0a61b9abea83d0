import { afterAll, describe, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { client, many } from './objects.ts';
import { expectRejection, type Rejection } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const namespaces = (allowedNamespaces: object) => client({ allowedNamespaces });
const selector = (fields: object) => namespaces({ from: 'Selector', selector: fields });
const expression = (fields: object) =>
  selector({ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'], ...fields }] });
const introspection = (fields: object) => client({ introspection: fields });
const labels = (n: number) => Object.fromEntries(many(n).map((name) => [name, 'x']));

const limits = (fields: object) => client({ limits: fields });

const policies: readonly Rejection[] = [
  [
    'with a negative rate',
    limits({ tokensPerSecond: -1 }),
    'spec.limits.tokensPerSecond',
    'greater than or equal to 0',
  ],
  [
    'with a rate beyond what there is',
    limits({ tokensPerSecond: 100_001 }),
    'spec.limits.tokensPerSecond',
    'less than or equal to 100000',
  ],
  [
    'with a part of a token per second',
    limits({ tokensPerSecond: 0.5 }),
    'spec.limits.tokensPerSecond',
    'integer',
  ],
  ['with a burst of none', limits({ burst: 0 }), 'spec.limits.burst', 'greater than or equal to 1'],
  [
    'with a negative number of tokens',
    limits({ activeTokens: -1 }),
    'spec.limits.activeTokens',
    'greater than or equal to 0',
  ],
  [
    'with more active tokens than there may be',
    limits({ activeTokens: 10_000_001 }),
    'spec.limits.activeTokens',
    'less than or equal to 10000000',
  ],
  [
    'allowing other namespaces than there are ways to say',
    namespaces({ from: 'Some' }),
    'spec.allowedNamespaces.from',
    'Selector',
  ],
  [
    'with from: Selector and no selector',
    namespaces({ from: 'Selector' }),
    'spec.allowedNamespaces.selector',
    'with from: Selector',
  ],
  [
    'with a selector and from: All',
    namespaces({ from: 'All', selector: {} }),
    'spec.allowedNamespaces.selector',
    'with from: Selector',
  ],
  [
    'with a selector and no from',
    namespaces({ selector: {} }),
    'spec.allowedNamespaces.selector',
    'with from: Selector',
  ],
  [
    'selecting by a value that no label has',
    selector({ matchLabels: { a: 'b c' } }),
    'spec.allowedNamespaces.selector.matchLabels',
    'label values',
  ],
  [
    'selecting by a key that no label has',
    selector({ matchLabels: { 'a b': 'c' } }),
    'spec.allowedNamespaces.selector.matchLabels',
    'keys such as',
  ],
  [
    'selecting by 33 labels',
    selector({ matchLabels: labels(33) }),
    'spec.allowedNamespaces.selector.matchLabels',
    '32',
  ],
  [
    'selecting by an unknown operator',
    expression({ operator: 'Like' }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'NotIn',
  ],
  [
    'selecting by In without values',
    expression({ values: undefined }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'values must be given',
  ],
  [
    'selecting by NotIn with no value',
    expression({ operator: 'NotIn', values: [] }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'values must be given',
  ],
  [
    'selecting by Exists with values',
    expression({ operator: 'Exists' }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'values must be given',
  ],
  [
    'selecting by a condition on no key',
    expression({ key: '' }),
    'spec.allowedNamespaces.selector.matchExpressions',
    '1 chars',
  ],
  [
    'selecting by a condition on a key that is none',
    expression({ key: 'a/' }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'label key',
  ],
  [
    'selecting by a value of a condition that is none',
    expression({ values: ['-'] }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'label values',
  ],
  [
    'introspecting by another policy',
    introspection({ policy: 'Some' }),
    'spec.introspection.policy',
    'Audience',
  ],
  [
    'introspecting by audience without audiences',
    introspection({ policy: 'Audience' }),
    'spec.introspection.audiences',
    'with policy: Audience',
  ],
  [
    'introspecting by audience with no audience',
    introspection({ policy: 'Audience', audiences: [] }),
    'spec.introspection.audiences',
    'with policy: Audience',
  ],
  [
    'introspecting all with audiences',
    introspection({ policy: 'All', audiences: ['a'] }),
    'spec.introspection.audiences',
    'with policy: Audience',
  ],
  [
    'introspecting its own with audiences',
    introspection({ audiences: ['a'] }),
    'spec.introspection.audiences',
    'with policy: Audience',
  ],
  [
    'introspecting by an audience with a space',
    introspection({ policy: 'Audience', audiences: ['a b'] }),
    'spec.introspection.audiences',
    'without white space',
  ],
];

describe('the API server rejects an OAuthClient', () => {
  test.each(policies)('%s', (...rejection) => expectRejection(api, rejection));
});
