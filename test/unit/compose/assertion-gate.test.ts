import { expect, test } from '@jest/globals';
import { assertionGate } from '../../../operator/compose/assertion-gate.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const never = new AbortController().signal;

test.each<[string, number, number]>([
  ['until the second of the list is over', 400, 601],
  ['for no longer than a second after a clock was set back', -100, 1000],
  ['not at all if it is over already', 2000, 0],
])('readiness waits %s', async (_name, nowMs, waitsMs) => {
  const start = Date.UTC(2026, 0, 1);
  const clock = new FakeClock(start + nowMs);
  let isOver = false;
  const gate = assertionGate({ completeSince: () => start + 400 }, clock);
  void Promise.resolve(gate(never)).then(() => {
    isOver = true;
  });
  if (waitsMs > 0) {
    await clock.advance(waitsMs - 1);
    expect(isOver).toBe(false);
  }
  await clock.advance(1);
  expect(isOver).toBe(true);
});
