import { expect, test } from '@jest/globals';
import type { Attack } from '../../attack/attack.ts';
import { ATTACKS } from '../../attack/attacks.ts';
import { verdictsOf } from '../../attack/measure/bounds.ts';
import type { Measurement } from '../../attack/measure/measure.ts';

const ATTACK: Attack = { name: 'a', does: 'b', run: async () => undefined, isRefused: true };
const honest = { calls: 100, failed: 0, p50Ms: 1, p99Ms: 10 };
const HELD: Measurement = {
  peakMiB: 399,
  turn: { ms: 199, cpuMs: 1 },
  probes: { answered: 100, failed: 0, slowestMs: 1 },
  lease: { isKept: true, oldestMs: 2000 },
  hasEnded: false,
  usual: honest,
  during: { ...honest, p99Ms: 100 },
  beside: { ...honest, failed: 100 },
  counts: { attempts: 1, accepted: 1, refusals: { closed: 1 } },
  refusals: 1,
  checks: [{ bound: 'grows', holds: true, found: 'little' }],
};

const missed = (found: Partial<Measurement>, attack: Partial<Attack> = {}): string[] =>
  verdictsOf({ ...ATTACK, ...attack }, { ...HELD, ...found })
    .filter(({ holds }) => !holds)
    .map(({ bound }) => bound);

test('what keeps every bound', () => {
  expect(missed({})).toEqual([]);
});

test.each<[string, Partial<Measurement>, Partial<Attack>]>([
  ['memory < 400 MiB', { peakMiB: 400 }, {}],
  ['probes answer', { probes: { answered: 99, failed: 1, slowestMs: 1 } }, {}],
  ['probes answer', { probes: { answered: 0, failed: 0, slowestMs: 0 } }, {}],
  ['lease kept', { lease: { isKept: false, oldestMs: 1 } }, {}],
  ['lease kept', { hasEnded: true }, {}],
  ['refusals', { refusals: 0 }, {}],
  ['event loop < 200 ms', { turn: { ms: 200, cpuMs: 1 } }, {}],
  ['p99 ≤ 10 × usual', { during: { ...honest, p99Ms: 101 } }, {}],
  ['p99 ≤ 2 × usual', { during: { ...honest, p99Ms: 21 } }, { slowdown: 2 }],
  ['grows', { checks: [{ bound: 'grows', holds: false, found: 'much' }] }, {}],
])('%s', (bound, found, attack) => {
  expect(missed(found, attack)).toEqual([bound]);
});

test('an attack below every limit need not be refused', () => {
  expect(missed({ refusals: 0 }, { isRefused: false })).toEqual([]);
});

test('no two attacks have the same name', () => {
  const names = ATTACKS.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});
