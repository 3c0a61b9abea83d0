import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FairQueue, type QueuedItem } from '../../../operator/async/fair-queue.ts';

const MANY = { total: 1000, perGroup: 1000 };

/** Adds items like `a/x1`: group, member, and a number that tells the items of a member apart. Returns what was dropped for each. */
const pushAll = (queue: FairQueue<string>, items: string): (string | undefined)[] =>
  items.split(' ').map((item) => {
    const [, group = '', member = ''] = /^(\w)\/(\w)/u.exec(item) ?? [];
    return queue.push({ group, member }, item).dropped?.item;
  });

const drain = (queue: FairQueue<string>): string => {
  const order: string[] = [];
  for (let next = queue.shift(); next; next = queue.shift()) order.push(next.item);
  return order.join(' ');
};

const ORDERS = [
  ['the items of one member in the order of their arrival', 'a/x1 a/x2 a/x3', 'a/x1 a/x2 a/x3'],
  ['groups in turn', 'a/x1 a/x2 a/x3 b/x1 b/x2 c/x1', 'a/x1 b/x1 c/x1 a/x2 b/x2 a/x3'],
  ['the members of a group in turn', 'a/x1 a/x2 a/x3 a/y1 a/y2', 'a/x1 a/y1 a/x2 a/y2 a/x3'],
  [
    'a group with many members no more often than one with few',
    'a/x1 a/y1 a/z1 b/x1 b/x2 b/x3',
    'a/x1 b/x1 a/y1 b/x2 a/z1 b/x3',
  ],
  [
    'members of the same name in other groups on their own',
    'a/x1 a/x2 a/y1 b/x1 b/y1',
    'a/x1 b/x1 a/y1 b/y1 a/x2',
  ],
] as const;

test.each(ORDERS)('a fair queue takes %s', (_, pushed, order) => {
  const queue = new FairQueue<string>(MANY);
  pushAll(queue, pushed);
  expect(drain(queue)).toBe(order);
  expect(queue.size).toBe(0);
});

/** Items that are pushed, and what is dropped for the last of them. */
const DROPS = [
  ['the newest item of the longest line, whoever came last', 4, 9, 'a/x1 a/x2 a/x3 b/x1 c/x1', 'a/x3'],
  ['the new item itself if its line is the longest', 3, 9, 'b/x1 a/x1 a/x2 a/x3', 'a/x3'],
  ['the new item itself if its line is as long as the longest', 3, 9, 'a/x1 a/x2 b/x1 b/x2', 'b/x2'],
  ['the new item itself if every line has one', 3, 9, 'a/x1 b/x1 c/x1 d/x1', 'd/x1'],
  [
    'of the group with most, though each of its members has few',
    5,
    9,
    'a/w1 a/x1 a/y1 b/x1 b/x2 c/x1',
    'a/w1',
  ],
  [
    'of the same group if that has reached its own limit',
    99,
    3,
    'b/x1 b/x2 b/x3 a/x1 a/x2 a/y1 a/z1',
    'a/x2',
  ],
  ['nothing below the limits', 4, 3, 'a/x1 a/x2 a/x3 b/x1', undefined],
] as const;

test.each(DROPS)('a full fair queue drops %s', (_, total, perGroup, pushed, expected) => {
  const queue = new FairQueue<string>({ total, perGroup });
  const dropped = pushAll(queue, pushed);
  expect(dropped.pop()).toBe(expected);
  expect(dropped.every((item) => item === undefined)).toBe(true);
});

describe('a fair queue', () => {
  test('passes over a group that is held, and keeps its turn', () => {
    const queue = new FairQueue<string>(MANY);
    pushAll(queue, 'a/x1 b/x1 b/x2 c/x1');
    const isHeld = (group: string): boolean => group === 'a';
    expect([queue.shift(isHeld)?.item, queue.shift()?.item]).toEqual(['b/x1', 'a/x1']);
    pushAll(queue, 'a/x2');
    expect(queue.shift((group) => group !== 'd')).toBeUndefined();
    expect(drain(queue)).toBe('c/x1 b/x2 a/x2');
  });

  test('gives up an item before its turn', () => {
    const queue = new FairQueue<string>(MANY);
    const { queued } = queue.push({ group: 'a', member: 'x' }, 'gone');
    pushAll(queue, 'a/x1 b/x1');
    queue.remove(queued);
    expect(queue.size).toBe(2);
    expect(drain(queue)).toBe('a/x1 b/x1');
  });
});

type Step =
  | { readonly kind: 'push'; readonly group: string; readonly member: string }
  | { readonly kind: 'shift'; readonly held: string }
  | { readonly kind: 'remove'; readonly at: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      group: fc.constantFrom('a', 'a', 'a', 'b', 'c', 'd'),
      member: fc.constantFrom('x', 'x', 'y', 'z'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('shift' as const), held: fc.constantFrom('', 'a', 'b') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), at: fc.nat(20) }) },
);

interface Item {
  readonly group: string;
  readonly member: string;
  readonly id: number;
}

/** The longest of lists; all of those that are. */
const longestOf = (counts: ReadonlyMap<string, number>): string[] => {
  const most = Math.max(...counts.values());
  return [...counts].filter(([, count]) => count === most).map(([key]) => key);
};

const countBy = (items: readonly Item[], key: 'group' | 'member'): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item[key], (counts.get(item[key]) ?? 0) + 1);
  return counts;
};

test('whatever happens, nobody waits more than one round, no limit is exceeded, and only the longest line loses', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const limits = { total: 12, perGroup: 7 };
      const queue = new FairQueue<Item>(limits);
      let waiting: QueuedItem<Item>[] = [];
      const items = (): Item[] => waiting.map(({ item }) => item);
      // Turns of the others since a group, or a member of a group, came or had its own.
      const passed = new Map<string, string[]>();
      const forget = (): void => {
        for (const key of passed.keys()) {
          const there = items().some(({ group, member }) => key === group || key === `${group}/${member}`);
          if (!there) passed.delete(key);
        }
      };
      const served = (key: string, kind: RegExp): void => {
        for (const [other, turns] of passed) if (other !== key && kind.test(other)) turns.push(key);
        passed.set(key, []);
      };
      const took = ({ group, member }: Item): void => {
        served(group, /^\w$/u);
        served(`${group}/${member}`, new RegExp(`^${group}/`, 'u'));
      };
      for (const [id, next] of steps.entries()) {
        if (next.kind === 'push') {
          const { group, member } = next;
          const before = [...items(), { group, member, id }];
          const { queued, dropped } = queue.push(next, { group, member, id });
          waiting.push(queued);
          for (const key of [group, `${group}/${member}`]) if (!passed.has(key)) passed.set(key, []);
          const groups = countBy(before, 'group');
          const isFull = before.length > limits.total || (groups.get(group) ?? 0) > limits.perGroup;
          expect(dropped !== undefined).toBe(isFull);
          if (dropped) {
            const gone = dropped.item;
            const inGroup = before.filter((item) => item.group === gone.group);
            if ((groups.get(group) ?? 0) > limits.perGroup) expect(gone.group).toBe(group);
            else expect(longestOf(groups)).toContain(gone.group);
            expect(longestOf(countBy(inGroup, 'member'))).toContain(gone.member);
            expect(inGroup.findLast((item) => item.member === gone.member)).toEqual(gone);
            waiting = waiting.filter((other) => other !== dropped);
          }
        } else if (next.kind === 'shift') {
          const queued = queue.shift((group) => group === next.held);
          if (queued === undefined) expect(items().every(({ group }) => group === next.held)).toBe(true);
          else {
            const { item } = queued;
            const first = items().find(({ group, member }) => group === item.group && member === item.member);
            expect(item).toEqual(first);
            waiting = waiting.filter((other) => other !== queued);
            took(item);
          }
        } else if (waiting.length > 0) {
          const [gone] = waiting.splice(next.at % waiting.length, 1);
          if (gone) queue.remove(gone);
        }
        forget();
        expect(queue.size).toBe(waiting.length);
        for (const [key, turns] of passed) {
          // A group that is held keeps its turn, and others have theirs meanwhile.
          const mayBeHeld = key === 'a' || key === 'b';
          if (!mayBeHeld) expect(new Set(turns).size).toBe(turns.length);
        }
      }
    }),
    { numRuns: 500 },
  );
});
