import { expect, jest, test } from '@jest/globals';
import { formatTime } from '../../../../operator/api/time.ts';
import type { Token, TokenStatus } from '../../../../operator/api/token.ts';
import { lastExpirations } from '../../../../operator/reconcilers/token/token-expirations.ts';
import { TOKEN_INDEXERS } from '../../../../operator/reconcilers/token/token-triggers.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { recordedLog } from '../../../support/quiet.ts';

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number): string => formatTime(NOW / 1000 + seconds);
const tokens = (...statuses: TokenStatus[]) => {
  const store = new ObjectStore<Token>({ log: recordedLog(), indexers: TOKEN_INDEXERS });
  for (const [index, status] of statuses.entries()) {
    store.apply({
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'Token',
      metadata: {
        name: `t${index}`,
        namespace: 'n',
        uid: `0b0e7d3a-5c1f-4f0e-9d2b-${String(index).padStart(12, '0')}`,
        resourceVersion: '1',
        creationTimestamp: at(0),
      },
      spec: { clientRef: { name: 'app' } },
      status,
    });
  }
  return store;
};
/** Issued tokens of which the last of any key expires at that time. */
const recordObjects = (last?: number | 'never') => ({
  lastOf: (_: string, start: number) => (typeof last === 'string' ? last : Math.max(start, last ?? 0)),
});
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
  [
    'tokens have whose times are written in another form: the last one',
    [
      { keyID: 'k', expiration: '2026-01-01T02:00:30+02:00' },
      { keyID: 'k', expiration: '2026-01-01T00:01:00.900Z' },
      { keyID: 'k', expiration: 'tomorrow' },
    ],
    60,
  ],
  ['an expired token has', [{ keyID: 'k', expiration: at(0) }], undefined],
  ['a blacklisted token has', [{ keyID: 'k', blacklisted }], undefined],
])('a key that %s', (_, statuses, expected) => {
  const last = lastExpirations({ tokens: tokens(...statuses), recordObjects: recordObjects() }, NOW)('k');
  expect(typeof last === 'number' ? last - NOW / 1000 : last).toEqual(expected);
});

test('of a key that every token has, one time is parsed and the others are compared', () => {
  const many = tokens(...Array.from({ length: 500 }, (_, n) => ({ keyID: 'k', expiration: at(n + 1) })));
  const parse = jest.spyOn(Date, 'parse');
  try {
    expect(lastExpirations({ tokens: many, recordObjects: recordObjects() }, NOW)('k')).toBe(
      NOW / 1000 + 500,
    );
    expect(parse.mock.calls.length).toBe(1);
  } finally {
    parse.mockRestore();
  }
});

test('a token without expiration ends the search', () => {
  const many = tokens(
    { keyID: 'k' },
    ...Array.from({ length: 9 }, () => ({ keyID: 'k', expiration: at(1) })),
  );
  let looked = 0;
  const counted = Object.create(many, {
    byIndex: {
      *value(index: string, value: string) {
        for (const token of many.byIndex(index, value)) {
          looked += 1;
          yield token;
        }
      },
    },
  });
  expect(lastExpirations({ tokens: counted, recordObjects: recordObjects() }, NOW)('k')).toBe('never');
  expect(looked).toBe(1);
});

test.each<[string, TokenStatus[], number | 'never' | undefined, number | 'never' | undefined]>([
  ['it expires later', [{ keyID: 'k', expiration: at(60) }], 90, 90],
  ['it expires earlier', [{ keyID: 'k', expiration: at(60) }], 30, 60],
  ['it never does', [{ keyID: 'k', expiration: at(60) }], 'never', 'never'],
  ['the declared one never does', [{ keyID: 'k' }], 90, 'never'],
  ['it is the only one', [], 90, 90],
  ['it has expired', [], -1, undefined],
])('of an issued token beside declared ones: %s', (_, statuses, last, expected) => {
  const expiration = typeof last === 'number' ? NOW / 1000 + last : last;
  const found = lastExpirations(
    { tokens: tokens(...statuses), recordObjects: recordObjects(expiration) },
    NOW,
  )('k');
  expect(typeof found === 'number' ? found - NOW / 1000 : found).toEqual(expected);
});
