import { expect, test } from '@jest/globals';
import type { Token, TokenStatus } from '../../../operator/api/token.ts';
import { lastExpirations } from '../../../operator/reconcilers/token-expirations.ts';
import { TOKEN_INDEXERS } from '../../../operator/reconcilers/token-indexes.ts';
import { ObjectStore } from '../../../operator/runtime/object-store.ts';
import { recordedLog } from '../../support/quiet.ts';

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number): string => new Date(NOW + seconds * 1000).toISOString();
const tokens = (...statuses: TokenStatus[]) => {
  const store = new ObjectStore<Token>({ log: recordedLog(), indexers: TOKEN_INDEXERS });
  for (const [index, status] of statuses.entries()) {
    store.apply({
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'Token',
      metadata: {
        name: `t${index}`,
        namespace: 'n',
        uid: `0b0e7d3a-5c1f-4f0e-9d2b-00000000000${index}`,
        resourceVersion: '1',
        creationTimestamp: at(0),
      },
      spec: { clientRef: { name: 'app' } },
      status,
    });
  }
  return store;
};
const previous = (keyID: string, seconds: number) => [
  { id: 'p', issuedAt: at(-1), expiration: at(seconds), keyID },
];
const blacklisted = { flag: true, timestamp: at(0) };

test.each<[string, TokenStatus[], number | 'never' | undefined]>([
  ['no token has', [], undefined],
  ['one token has: its expiration', [{ keyID: 'k', expiration: at(60) }], 60],
  [
    'several have: the last one',
    [
      { keyID: 'k', expiration: at(60) },
      { keyID: 'k', expiration: at(90) },
      { keyID: 'k', expiration: at(30) },
    ],
    90,
  ],
  ['a token without expiration has: never', [{ keyID: 'k' }, { keyID: 'k', expiration: at(60) }], 'never'],
  ['an earlier JWT has: its own expiration', [{ keyID: 'other', previous: previous('k', 45) }], 45],
  [
    'a token has whose earlier JWT has another',
    [{ keyID: 'k', expiration: at(60), previous: previous('other', 600) }],
    60,
  ],
  ['an expired token has', [{ keyID: 'k', expiration: at(0) }], undefined],
  ['a blacklisted token has', [{ keyID: 'k', blacklisted }], undefined],
])('a key that %s', (_, statuses, expected) => {
  const last = lastExpirations(tokens(...statuses), NOW)('k');
  expect(typeof last === 'number' ? last - NOW / 1000 : last).toEqual(expected);
});
