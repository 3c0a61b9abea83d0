import { expect, test } from '@jest/globals';
import { type Component, Manager } from '../../../operator/runtime/manager.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordedLog } from '../../support/quiet.ts';

/** Runs a manager of nothing but these. */
const run = (base: readonly Component[], signal: AbortSignal) =>
  new Manager({ base, caches: [], controllers: [], clock: new FakeClock(), log: recordedLog() }).run(signal);

test.each([
  ['which goes on', async () => undefined],
  ['which gives up for it', async () => Promise.reject(new Error('called off'))],
])('stopped while its base starts, %s, it has stopped what it started', async (_name, how) => {
  const stop = new AbortController();
  const diary: string[] = [];
  const probes: Component = {
    name: 'probes',
    start: async () => {
      diary.push('probes start');
      stop.abort();
      await how();
    },
    stop: () => void diary.push('probes stop'),
  };
  const recorder: Component = { name: 'recorder', start: () => void diary.push('recorder'), stop: () => {} };
  expect(await run([probes, recorder], stop.signal)).toBe('stopped');
  expect(diary).toEqual(['probes start', 'probes stop']);
});

test('reports a base that does not start', async () => {
  const failing: Component = {
    name: 'probes',
    start: async () => Promise.reject(new Error('port in use')),
    stop: () => undefined,
  };
  await expect(run([failing], new AbortController().signal)).rejects.toThrow('port in use');
});
