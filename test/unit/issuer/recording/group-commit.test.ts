import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { batchNameOf } from '../../../../operator/domain/record/cached-token-batch.ts';
import type { NewTokenBatch } from '../../../../operator/domain/record/token-batch.ts';
import { createGroupCommit } from '../../../../operator/issuer/recording/group-commit.ts';
import { overloaded } from '../../../../operator/issuer/request-queues.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { type ContentTraits, contentWith } from '../../domain/record/batch-fixtures.ts';
import { recordClient } from '../../domain/record/issued-token-fixtures.ts';

/** A group commit whose writes end when the test releases them. */
class FakeBatchApi {
  readonly written: NewTokenBatch[] = [];
  readonly #ends: ((error?: Error) => void)[] = [];
  readonly #defer: (() => void)[] = [];
  readonly #place = createGroupCommit({
    newID: randomUUID,
    overloaded: () => overloaded('records', recordedMetrics()),
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
    const fake = new FakeBatchApi();
    const { id, recorded } = fake.place();
    fake.turn();
    expect(fake.written).toMatchObject([{ metadata: { name: batchNameOf(id) }, spec: { count: 1 } }]);
    await fake.end(0);
    await recorded;
    fake.place();
    fake.turn();
    expect(fake.sizes).toEqual([1, 1]);
  });

  test('puts into the next object what comes while a write is under way', async () => {
    const fake = new FakeBatchApi();
    fake.place();
    fake.turn();
    const placed = fake.many(3);
    fake.turn();
    expect(fake.sizes).toEqual([1]);
    await fake.end(0);
    expect(fake.sizes).toEqual([1, 3]);
    expect(new Set(placed.map(({ id }) => batchNameOf(id)))).toEqual(
      new Set([fake.written[1]?.metadata.name]),
    );
  });

  test('takes along what comes in together', () => {
    const fake = new FakeBatchApi();
    fake.many(5);
    fake.turn();
    expect(fake.sizes).toEqual([5]);
  });

  test('answers no caller before the object with its record is written', async () => {
    const fake = new FakeBatchApi();
    const [first, second] = [fake.place(), undefined];
    fake.turn();
    const later = fake.place();
    let isAnswered = false;
    void later.recorded.then(() => {
      isAnswered = true;
    });
    await fake.end(0);
    await first.recorded;
    expect([isAnswered, second]).toEqual([false, undefined]);
    await fake.end(1);
    expect(isAnswered).toBe(true);
  });

  test('fails exactly those whose write failed, and goes on', async () => {
    const fake = new FakeBatchApi();
    const first = fake.many(2);
    fake.turn();
    const second = fake.many(2);
    await fake.end(0, new Error('refused'));
    await fake.end(1);
    expect((await outcomesOf(first)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await outcomesOf(second)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  });

  test('writes full objects beside each other, and a last one that is not full after them', async () => {
    const fake = new FakeBatchApi();
    fake.many(256 * 5 + 7);
    fake.turn();
    expect(fake.sizes).toEqual([256, 256, 256, 256]);
    await fake.end(0);
    expect(fake.sizes).toEqual([256, 256, 256, 256, 256]);
    for (const at of [1, 2, 3]) await fake.end(at);
    expect(fake.sizes).toHaveLength(5);
    await fake.end(4);
    expect(fake.sizes).toEqual([256, 256, 256, 256, 256, 7]);
  });

  test('keeps clients apart, and windows of expiration', () => {
    const fake = new FakeBatchApi();
    fake.place({ expiresAt: 60 });
    fake.place({ expiresAt: 50 });
    fake.place({ expiresAt: 3600 });
    fake.place({});
    fake.place({ expiresAt: 60 }, recordClient('another-uid', 'other'));
    fake.turn();
    expect(fake.sizes).toEqual([2, 1, 1, 1]);
    expect(fake.written.map(({ spec }) => spec.clientRef.name)).toEqual(['app', 'app', 'app', 'other']);
  });

  test('rejects more than can wait, and takes again when some of it is under way', async () => {
    const fake = new FakeBatchApi();
    fake.many(16_384);
    expect(() => fake.place()).toThrow('too much is asked for');
    fake.turn();
    fake.place();
    fake.many(1023);
    expect(() => fake.place()).toThrow('too much is asked for');
  });

  test('has room for other clients while one has all that it may have', () => {
    const fake = new FakeBatchApi();
    const other = recordClient('another-uid', 'other');
    fake.many(16_384);
    for (let count = 0; count < 8192; count += 1) fake.place({ expiresAt: 60 }, other);
    expect(() => fake.place({ expiresAt: 60 }, other)).toThrow('too much is asked for');
    fake.place({ expiresAt: 60 }, recordClient('third-uid', 'third'));
  });

  test('forgets the records of a client that are sent', () => {
    const fake = new FakeBatchApi();
    for (let round = 0; round < 100; round += 1) {
      fake.place({ expiresAt: 60 }, recordClient(`uid-${round}`, `app-${round}`));
      fake.turn();
    }
    fake.many(16_384);
    expect(() => fake.place()).toThrow('too much is asked for');
  });
});
