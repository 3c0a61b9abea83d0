import { describe, expect, test } from '@jest/globals';
import { clockAgrees, informersAlive, informersSynced, isSynced } from '../../../operator/compose/health.ts';

const NOW = 1_000_000_000;
const clock = { now: () => NOW, after: () => () => undefined };
const well = {
  synced: true,
  alive: true,
  lastContact: NOW - 1000,
  lastProgress: NOW - 30_000,
  lastAnswered: NOW - 30_000,
  isPinged: true,
};
const problemOf = (health: object) =>
  informersAlive([{ name: 'tokens', health: { ...well, ...health } }], clock).problem();

describe('liveness', () => {
  test.each([
    ['a watch with recent events is well', {}, undefined],
    ['a reflector that ended is not alive', { alive: false }, 'tokens: the watch gave up'],
    [
      'silence on a connection that answers is not alive',
      { lastProgress: NOW - 400_000, lastAnswered: NOW - 400_000 },
      'tokens: the watch gave up',
    ],
    [
      'silence of an API server that is away is no reason to restart',
      { lastProgress: NOW - 400_000, lastAnswered: NOW - 400_000, lastContact: NOW - 400_000 },
      undefined,
    ],
    [
      'a restart is no help against an API server that answers with errors',
      { lastProgress: NOW - 400_000 },
      undefined,
    ],
    ['the first list may take its time', { synced: false, lastProgress: 0 }, undefined],
  ])('%s', (_name, health, expected) => {
    expect(problemOf(health)).toBe(expected);
  });
});

describe('a positive answer from the cache', () => {
  test.each([
    ['a watch with recent signs gives it', {}, true],
    ['the bounds are within', { lastContact: NOW - 10_000, lastProgress: NOW - 90_000 }, true],
    ['a connection that was silent for longer does not', { lastContact: NOW - 10_001 }, false],
    ['nor a watch without event or bookmark', { lastProgress: NOW - 90_001 }, false],
    ['nor one that is not listed yet', { synced: false }, false],
  ])('%s', (_name, health, expected) => {
    expect(isSynced({ ...well, ...health }, clock)).toBe(expected);
  });
});

describe('readiness', () => {
  test('names the types that are not listed yet', () => {
    const informers = [
      { name: 'tokens', health: { ...well, synced: false } },
      { name: 'secrets', health: well },
    ];
    expect(informersSynced(informers, clock).problem()).toBe('not listed yet: tokens');
  });

  test.each([
    ['watches with recent signs of life are fresh', {}, undefined],
    ['no event or bookmark for 90 s', { lastProgress: NOW - 91_000 }, 'tokens: '],
    ['pings that stopped', { lastContact: NOW - 11_000 }, 'tokens: '],
    [
      'pings that stopped, on a connection that was cut before the first probe',
      { lastContact: NOW - 30_000 },
      'tokens: ',
    ],
  ])('%s', (_name, health, expected) => {
    const informers = [{ name: 'tokens', health: { ...well, ...health } }];
    const problem = informersSynced(informers, clock).problem();
    if (expected === undefined) expect(problem).toBeUndefined();
    else expect(problem).toMatch(expected);
  });

  test('without pings (HTTP/1.1) events and bookmarks are all there is', () => {
    const quiet = { ...well, lastProgress: NOW - 60_000, lastContact: NOW - 60_000, isPinged: false };
    expect(informersSynced([{ name: 'tokens', health: quiet }], clock).problem()).toBeUndefined();
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
