import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createFailureLimit } from '../../../../operator/issuer/authentication/failure-limit.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const attempt = (clientID = 'app', address = '192.0.2.1') => ({ clientID, address });
const times = <T>(count: number, run: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => run(at));
const addressOf = (at: number): string => `198.51.${Math.floor(at / 250)}.${at % 250}`;

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

  test('of one pair is no other pair’s, of the same client or address neither', () => {
    const limit = createFailureLimit({ clock: new FakeClock() });
    times(5000, () => limit.note(attempt()));
    expect(limit.isOver(attempt('app', '192.0.2.2'))).toBe(false);
    expect(limit.isOver(attempt('other'))).toBe(false);
    expect(limit.note(attempt('app', '192.0.2.2'))).toBe(true);
    expect(limit.note(attempt('other'))).toBe(true);
  });

  test.each([
    [
      'a client ID from many addresses',
      (at: number) => attempt('app', addressOf(at)),
      attempt('app', '192.0.2.9'),
    ],
    ['an address under many client IDs', (at: number) => attempt(`client-${at}`), attempt('another')],
    [
      'an IPv6 network under many client IDs',
      (at: number) => attempt(`client-${at}`, `2001:db8::${at.toString(16)}`),
      attempt('another', '2001:db8:0:0:ffff::1'),
    ],
  ])('is 100 for %s, and ten more every second', async (_, nth, next) => {
    const clock = new FakeClock();
    const limit = createFailureLimit({ clock });
    expect(times(500, (at) => limit.note(nth(at))).filter(Boolean)).toHaveLength(100);
    expect([limit.isOver(next), limit.note(next)]).toEqual([true, false]);
    expect(limit.isOver(attempt('other', '203.0.113.7'))).toBe(false);
    expect(limit.note(attempt('other', '203.0.113.7'))).toBe(true);
    await clock.advance(1000);
    expect(times(50, (at) => limit.note(nth(1000 + at))).filter(Boolean)).toHaveLength(10);
  });

  test('is there for all together too, and neither a pair nor an address alone uses it up', async () => {
    const clock = new FakeClock();
    const limit = createFailureLimit({ clock });
    times(5000, () => limit.note(attempt()));
    times(5000, (at) => limit.note(attempt(`from-one-address-${at}`)));
    const many = (count: number, from = 0): boolean[] =>
      times(count, (at) => limit.note(attempt(`client-${from + at}`, addressOf(from + at))));
    const fresh = attempt('fresh', '203.0.113.7');
    expect(many(899)).not.toContain(false);
    expect(limit.isOver(fresh)).toBe(false);
    expect(many(200, 899).filter(Boolean)).toHaveLength(1);
    expect(limit.isOver(fresh)).toBe(true);
    await clock.advance(1000);
    expect(limit.isOver(fresh)).toBe(false);
    expect(many(150, 2000).filter(Boolean)).toHaveLength(100);
  });

  test('remembers so many pairs, and forgets the one that failed longest ago', () => {
    const pair = { burst: 1, refillMs: 1e9 };
    const limit = createFailureLimit({ clock: new FakeClock(), tracked: 2, pair });
    limit.note(attempt('a'));
    limit.note(attempt('b'));
    limit.note(attempt('a'));
    limit.note(attempt('c'));
    expect(['a', 'b', 'c'].map((id) => limit.isOver(attempt(id)))).toEqual([true, false, true]);
  });

  test('makes no address forget the failures of others by client IDs that it makes up', () => {
    const limit = createFailureLimit({ clock: new FakeClock(), tracked: 200 });
    times(11, () => limit.note(attempt('app', '192.0.2.1')));
    times(5000, (at) => limit.note(attempt(`made-up-${at}`, '198.51.100.1')));
    expect(limit.isOver(attempt('app', '192.0.2.1'))).toBe(true);
  });

  test('takes long client IDs for different ones if their ends differ', () => {
    const limit = createFailureLimit({ clock: new FakeClock() });
    const long = 'x'.repeat(5000);
    times(11, () => limit.note(attempt(`${long}1`)));
    expect(limit.isOver(attempt(`${long}1`))).toBe(true);
    expect(limit.isOver(attempt(`${long}2`))).toBe(false);
  });

  test('lets through what a model of its buckets lets through', async () => {
    const step = fc.record({
      client: fc.constantFrom('a', 'b', 'c'),
      address: fc.constantFrom('192.0.2.1', '192.0.2.2'),
      waitMs: fc.constantFrom(0, 0, 250, 1000, 5000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new FakeClock();
        const limit = createFailureLimit({
          clock,
          pair: { burst: 3, refillMs: 2000 },
          either: { burst: 4, refillMs: 1250 },
          total: { burst: 5, refillMs: 1000 },
        });
        // In thousandths of a failure.
        const kinds = {
          pair: { most: 3000, perMs: 0.5, left: new Map<string, number>() },
          either: { most: 4000, perMs: 0.8, left: new Map<string, number>() },
          total: { most: 5000, perMs: 1, left: new Map<string, number>() },
        };
        for (const { client, address, waitMs } of steps) {
          clock.freeze(waitMs);
          for (const { most, perMs, left } of Object.values(kinds)) {
            for (const [key, value] of left) left.set(key, Math.min(most, value + waitMs * perMs));
          }
          const own = [
            { ...kinds.pair, key: `${client} ${address}` },
            { ...kinds.either, key: client },
            { ...kinds.either, key: address },
            { ...kinds.total, key: '' },
          ].map((kind) => ({ ...kind, value: kind.left.get(kind.key) ?? kind.most }));
          const isWithin = own.every(({ value }) => value >= 1000);
          expect(limit.isOver(attempt(client, address))).toBe(!isWithin);
          expect(limit.note(attempt(client, address))).toBe(isWithin);
          if (isWithin) for (const { left, key, value } of own) left.set(key, value - 1000);
        }
      }),
    );
  });
});
