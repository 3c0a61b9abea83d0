import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { batchNameOf } from '../../../../operator/domain/record/batch-id.ts';
import type { NewTokenBatch } from '../../../../operator/domain/record/token-batch.ts';
import { createGroupCommit } from '../../../../operator/issuer/recording/group-commit.ts';
import { type ContentTraits, contentWith } from '../../domain/record/batch-world.ts';
import { recordClient } from '../../domain/record/issued-world.ts';

/** A group commit whose writes end when the test says so. */
class Desk {
  readonly written: NewTokenBatch[] = [];
  readonly #ends: ((error?: Error) => void)[] = [];
  readonly #defer: (() => void)[] = [];
  readonly #place = createGroupCommit({
    newID: randomUUID,
    defer: (work) => void this.#defer.push(work),
    writeBatch: (batch) => {
      this.written.push(batch);
      return new Promise((resolve, reject) => {
        this.#ends.push((error) => (error ? reject(error) : resolve()));
      });
    },
  });

  place(content: ContentTraits = { expiresAt: 60 }, client = recordClient()) {
    return this.#place(client, contentWith(content));
  }

  many(count: number) {
    return Array.from({ length: count }, () => this.place());
  }

  /** What has come in is looked at. */
  turn(): void {
    for (const work of this.#defer.splice(0)) work();
  }

  /** Ends the write of that number, and lets what hangs on it run. */
  async end(at: number, error?: Error): Promise<void> {
    this.#ends[at]?.(error);
    for (let mutex = 0; mutex < 10; mutex += 1) await undefined;
  }

  get sizes(): number[] {
    return this.written.map(({ spec }) => spec.count);
  }
}

const outcomesOf = (placed: readonly { readonly recorded: Promise<void> }[]) =>
  Promise.allSettled(placed.map(({ recorded }) => recorded));

describe('a group commit', () => {
  test('writes at once what comes while nothing is under way', async () => {
    const desk = new Desk();
    const { id, recorded } = desk.place();
    desk.turn();
    expect(desk.written).toMatchObject([{ metadata: { name: batchNameOf(id) }, spec: { count: 1 } }]);
    await desk.end(0);
    await recorded;
    desk.place();
    desk.turn();
    expect(desk.sizes).toEqual([1, 1]);
  });

  test('puts into the next object what comes while a write is under way', async () => {
    const desk = new Desk();
    desk.place();
    desk.turn();
    const placed = desk.many(3);
    desk.turn();
    expect(desk.sizes).toEqual([1]);
    await desk.end(0);
    expect(desk.sizes).toEqual([1, 3]);
    expect(new Set(placed.map(({ id }) => batchNameOf(id)))).toEqual(
      new Set([desk.written[1]?.metadata.name]),
    );
  });

  test('takes along what comes in together', () => {
    const desk = new Desk();
    desk.many(5);
    desk.turn();
    expect(desk.sizes).toEqual([5]);
  });

  test('answers nobody before the object of its own record is written', async () => {
    const desk = new Desk();
    const [first, second] = [desk.place(), undefined];
    desk.turn();
    const later = desk.place();
    let isAnswered = false;
    void later.recorded.then(() => {
      isAnswered = true;
    });
    await desk.end(0);
    await first.recorded;
    expect([isAnswered, second]).toEqual([false, undefined]);
    await desk.end(1);
    expect(isAnswered).toBe(true);
  });

  test('fails exactly those whose write failed, and goes on', async () => {
    const desk = new Desk();
    const first = desk.many(2);
    desk.turn();
    const second = desk.many(2);
    await desk.end(0, new Error('refused'));
    await desk.end(1);
    expect((await outcomesOf(first)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await outcomesOf(second)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  });

  test('writes full objects beside each other, and a last one that is not full after them', async () => {
    const desk = new Desk();
    desk.many(256 * 5 + 7);
    desk.turn();
    expect(desk.sizes).toEqual([256, 256, 256, 256]);
    await desk.end(0);
    expect(desk.sizes).toEqual([256, 256, 256, 256, 256]);
    for (const at of [1, 2, 3]) await desk.end(at);
    expect(desk.sizes).toHaveLength(5);
    await desk.end(4);
    expect(desk.sizes).toEqual([256, 256, 256, 256, 256, 7]);
  });

  test('keeps clients apart, and windows of expiration', () => {
    const desk = new Desk();
    desk.place({ expiresAt: 60 });
    desk.place({ expiresAt: 50 });
    desk.place({ expiresAt: 3600 });
    desk.place({});
    desk.place({ expiresAt: 60 }, recordClient('another-uid', 'other'));
    desk.turn();
    expect(desk.sizes).toEqual([2, 1, 1, 1]);
    expect(desk.written.map(({ spec }) => spec.clientRef.name)).toEqual(['app', 'app', 'app', 'other']);
  });

  test('refuses more than can wait, and takes again when some of it is under way', async () => {
    const desk = new Desk();
    desk.many(16_384);
    expect(() => desk.place()).toThrow('too much is asked for');
    desk.turn();
    desk.place();
    desk.many(1023);
    expect(() => desk.place()).toThrow('too much is asked for');
  });
});
