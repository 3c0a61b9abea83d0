import { expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import {
  areLimited,
  type ClientLimits,
  type DefaultLimits,
  hasOwnLimit,
  limitsOf,
} from '../../../../operator/domain/client/client-rules.ts';
import { makeClient } from '../token/fake-token.ts';

const NONE: DefaultLimits = { tokensPerSecond: 0, burst: 0, activeTokens: 0 };
const ALL: DefaultLimits = { tokensPerSecond: 10, burst: 30, activeTokens: 100 };

const rate = (tokensPerSecond: number, burst: number): ClientLimits['rate'] => ({ tokensPerSecond, burst });

test.each<[string, OAuthClient['spec']['limits'], DefaultLimits, ClientLimits]>([
  ['nothing is stated: none', undefined, NONE, { rate: undefined, activeTokens: undefined }],
  ['the configuration’s apply', undefined, ALL, { rate: rate(10, 30), activeTokens: 100 }],
  ['an empty object states nothing', {}, ALL, { rate: rate(10, 30), activeTokens: 100 }],
  [
    'the client’s own come first',
    { tokensPerSecond: 2, burst: 5, activeTokens: 7 },
    ALL,
    { rate: rate(2, 5), activeTokens: 7 },
  ],
  [
    'a burst is the rate’s where none is stated',
    undefined,
    { ...ALL, burst: 0 },
    { rate: rate(10, 10), activeTokens: 100 },
  ],
  [
    'the configuration’s burst does not belong to the client’s rate',
    { tokensPerSecond: 2 },
    ALL,
    { rate: rate(2, 2), activeTokens: 100 },
  ],
  [
    'the client’s burst goes with the configuration’s rate',
    { burst: 1 },
    ALL,
    { rate: rate(10, 1), activeTokens: 100 },
  ],
  [
    '0 exempts from the configuration’s rate',
    { tokensPerSecond: 0 },
    ALL,
    { rate: undefined, activeTokens: 100 },
  ],
  [
    '0 exempts from the configuration’s active tokens',
    { activeTokens: 0 },
    ALL,
    { rate: rate(10, 30), activeTokens: undefined },
  ],
  ['a burst alone limits nothing', { burst: 3 }, NONE, { rate: undefined, activeTokens: undefined }],
])('%s', (_name, limits, defaults, expected) => {
  expect(limitsOf(makeClient({ limits }), defaults)).toEqual(expected);
});

test.each<[OAuthClient['spec']['limits'], boolean]>([
  [undefined, false],
  [{ burst: 3 }, false],
  [{ tokensPerSecond: 0, activeTokens: 0 }, false],
  [{ tokensPerSecond: 1 }, true],
  [{ activeTokens: 1 }, true],
])('%j is a limit of its own: %s', (limits, expected) => {
  expect(hasOwnLimit(makeClient({ limits }))).toBe(expected);
});

test('a configuration with a rate or a number limits every client', () => {
  expect(
    [NONE, { ...NONE, burst: 3 }, { ...NONE, tokensPerSecond: 1 }, { ...NONE, activeTokens: 1 }].map(
      areLimited,
    ),
  ).toEqual([false, false, true, true]);
});
