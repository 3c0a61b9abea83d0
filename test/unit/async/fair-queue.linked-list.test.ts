import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Link, LinkedList } from '../../../operator/async/fair-queue.ts';

test('a linked list has what an array has after the same changes, in the same order', () => {
  // A number below 0 adds; another one removes the link at that place, counted round.
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -10, max: 10 }), { maxLength: 80 }), (steps) => {
      const list = new LinkedList<number>();
      const links: Link<number>[] = [];
      for (const [id, step] of steps.entries()) {
        if (step < 0) links.push(list.push(id));
        else if (links.length > 0) {
          for (const link of links.splice(step % links.length, 1)) list.remove(link);
        }
        expect([...list]).toEqual(links.map(({ value }) => value));
        expect([list.first, list.last]).toEqual([links.at(0), links.at(-1)]);
      }
    }),
  );
});
