import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createFailureLimit } from '../../../../operator/issuer/authentication/failure-limit.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const attempt = (clientID = 'app', address = '192.0.2.1') => ({ clientID, address });
const times = <T>(count: number, run: () => T): T[] => Array.from({ length: count }, run);

describe('the limit of failures', () => {
  test('is 10 a pair, and one more every 6 s', async () => {
    const clock = new FakeClock();
    const limit = createFailureLimit({ clock });
    expect(times(12, () => limit.note(attempt()))).toEqual([...times(10, () => true), false, false]);
    expect(limit.isOver(attempt())).toBe(true);
    await clock.advance(6000);
    expect(limit.isOver(attempt())).toBe(false);
    expect([limit.note(attempt()), limit.note(attempt())]).toEqual([true, false]);
  });

  test('of one pair is no other pair’s', () => {
    const limit = createFailureLimit({ clock: new FakeClock() });
    times(11, () => limit.note(attempt()));
    expect(limit.isOver(attempt('app', '192.0.2.2'))).toBe(false);
    expect(limit.isOver(attempt('other'))).toBe(false);
    expect(limit.note(attempt('other'))).toBe(true);
  });

  test('is there for all together too, and one pair alone does not use it up', async () => {
    const clock = new FakeClock();
    const limit = createFailureLimit({ clock });
    times(5000, () => limit.note(attempt()));
    let at = 0;
    const limited = times(1100, () => limit.note(attempt(`client-${at++}`)));
    expect(limited.filter(Boolean)).toHaveLength(990);
    await clock.advance(1000);
    expect(times(150, () => limit.note(attempt(`client-${at++}`))).filter(Boolean)).toHaveLength(100);
  });

  test('remembers so many pairs, and forgets the one that failed longest ago', () => {
    const limit = createFailureLimit({ clock: new FakeClock(), pairs: 2, pair: { burst: 1, refillMs: 1e9 } });
    limit.note(attempt('a'));
    limit.note(attempt('b'));
    limit.note(attempt('a'));
    limit.note(attempt('c'));
    expect(['a', 'b', 'c'].map((id) => limit.isOver(attempt(id)))).toEqual([true, false, true]);
  });

  test('lets through what a model of its buckets lets through', async () => {
    const step = fc.record({
      client: fc.constantFrom('a', 'b', 'c'),
      waitMs: fc.constantFrom(0, 0, 250, 1000, 5000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new FakeClock();
        const limit = createFailureLimit({
          clock,
          pair: { burst: 3, refillMs: 2000 },
          total: { burst: 5, refillMs: 1000 },
        });
        // In thousandths of a failure.
        const left = new Map<string, number>();
        let total = 5000;
        for (const { client, waitMs } of steps) {
          clock.freeze(waitMs);
          for (const [key, value] of left) left.set(key, Math.min(3000, value + waitMs / 2));
          total = Math.min(5000, total + waitMs);
          const own = left.get(client) ?? 3000;
          const wanted = own >= 1000 && total >= 1000;
          left.set(client, own >= 1000 ? own - 1000 : own);
          if (wanted) total -= 1000;
          expect(limit.isOver(attempt(client))).toBe(own < 1000);
          expect(limit.note(attempt(client))).toBe(wanted);
        }
      }),
    );
  });
});
