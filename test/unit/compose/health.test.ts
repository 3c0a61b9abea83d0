import { describe, expect, test } from '@jest/globals';
import { clockAgrees, informersAlive, informersSynced } from '../../../operator/compose/health.ts';

const NOW = 1_000_000_000;
const clock = { now: () => NOW, after: () => () => undefined };
const well = { synced: true, alive: true, lastContact: NOW - 1000, lastProgress: NOW - 30_000 };
const problemOf = (health: object) =>
  informersAlive([{ name: 'tokens', health: { ...well, ...health } }], clock).problem();

describe('liveness', () => {
  test.each([
    ['a watch with recent events is well', {}, undefined],
    ['a reflector that ended is dead', { alive: false }, 'tokens: the watch gave up'],
    [
      'silence on a connection that answers is dead',
      { lastProgress: NOW - 400_000 },
      'tokens: the watch gave up',
    ],
    [
      'silence of an API server that is away is no reason to restart',
      { lastProgress: NOW - 400_000, lastContact: NOW - 400_000 },
      undefined,
    ],
    ['the first list may take its time', { synced: false, lastProgress: 0 }, undefined],
  ])('%s', (_name, health, expected) => {
    expect(problemOf(health)).toBe(expected);
  });
});

describe('readiness', () => {
  test('names the types that are not listed yet', () => {
    const informers = [
      { name: 'tokens', health: { ...well, synced: false } },
      { name: 'secrets', health: well },
    ];
    expect(informersSynced(informers).problem()).toBe('not listed yet: tokens');
  });

  test.each([
    ['a clock that agrees', 0, undefined],
    ['a clock at the bound', -120, undefined],
    ['a clock ahead', 200, "this clock is 200 s ahead of the API server's"],
    ['a clock behind', -200, "this clock is 200 s behind the API server's"],
  ])('%s', (_name, seconds, expected) => {
    expect(clockAgrees(() => seconds).problem()).toBe(expected);
  });
});
