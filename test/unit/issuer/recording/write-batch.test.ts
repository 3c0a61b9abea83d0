import { describe, expect, test } from '@jest/globals';
import type { TokenBatch } from '../../../../operator/api/token-batch.ts';
import type { NewTokenBatch } from '../../../../operator/domain/record/token-batch.ts';
import { createWriteBatch } from '../../../../operator/issuer/recording/group-commit.ts';
import { createAgeCheck } from '../../../../operator/issuer/recording/record-token.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import { ApiError, EXCEEDED_QUOTA } from '../../../../operator/ports/kube.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { storedBatch } from '../../domain/record/batch-fixtures.ts';
import { settings } from '../../domain/token/fake-token.ts';

const BATCH = storedBatch([{ expiresAt: 60 }]);
const { name, namespace, labels = {} } = BATCH.metadata;
const NEW: NewTokenBatch = { ...BATCH, metadata: { name, namespace, labels } };

const noAnswer = new ApiError('no answer', { status: 0 });
const exists = new ApiError('it is there', { status: 409, reason: 'AlreadyExists' });
const answers = (status: number, reason = '') => new ApiError('no', { status, reason });

/** Writes the batch while the API server answers creates with these, one after the other; undefined: it is made. */
const write = async (
  creates: readonly (ApiError | undefined)[],
  { there = BATCH, waitedMs = 0 }: { there?: TokenBatch; waitedMs?: number } = {},
) => {
  const clock = new FakeClock();
  clock.freeze(waitedMs);
  const recorded: TokenBatch[] = [];
  const calls: string[] = [];
  const left = [...creates];
  const writeBatch = createWriteBatch({
    batches: {
      create: async (batch) => {
        calls.push(`create ${batch.metadata.name}`);
        const error = left.shift();
        if (error) throw error;
        return BATCH;
      },
      get: async (ref) => {
        calls.push(`get ${ref.name}`);
        return there;
      },
    },
    onRecorded: (batch) => void recorded.push(batch),
    checkAge: createAgeCheck({ clock, settings }),
    queue: createRequestQueues(recordedMetrics(), clock).records,
    clock,
  });
  const failure = await writeBatch(NEW).then(
    () => undefined,
    (error) => error,
  );
  return { calls, recorded, failure };
};

describe('a batch is recorded', () => {
  test('when it was made', async () => {
    expect(await write([undefined])).toEqual({
      calls: [`create ${name}`],
      recorded: [BATCH],
      failure: undefined,
    });
  });

  test.each([
    ['no answer', noAnswer],
    ['a server that gave up', answers(504, 'Timeout')],
    ['a proxy’s error', answers(502)],
  ])('after %s, when the same create makes it', async (_, error) => {
    const { calls, recorded } = await write([error, undefined]);
    expect(calls).toEqual([`create ${name}`, `create ${name}`]);
    expect(recorded).toEqual([BATCH]);
  });

  test('after no answer, when it is there as it was sent', async () => {
    const { calls, recorded, failure } = await write([noAnswer, exists]);
    expect(calls).toEqual([`create ${name}`, `create ${name}`, `get ${name}`]);
    expect([recorded, failure]).toEqual([[BATCH], undefined]);
  });
});

describe('a batch is not called recorded', () => {
  test('whose first record has its turn more than a minute after its request, and is not made', async () => {
    expect((await write([undefined], { waitedMs: 60_999 })).failure).toBeUndefined();
    const { calls, recorded, failure } = await write([undefined], { waitedMs: 61_000 });
    expect(failure).toMatchObject({ code: 'Unavailable' });
    expect([calls, recorded]).toEqual([[], []]);
  });

  test('where another is there under its name', async () => {
    const { recorded, failure } = await write([exists], { there: storedBatch([{ expiresAt: 61 }]) });
    expect(failure).toMatchObject({ code: 'Unavailable' });
    expect(recorded).toEqual([]);
  });

  test('without an answer three times', async () => {
    const { calls, recorded, failure } = await write([noAnswer, noAnswer, noAnswer, undefined]);
    expect(calls).toHaveLength(3);
    expect(failure).toMatchObject({ code: 'Unavailable' });
    expect(recorded).toEqual([]);
  });

  test.each([
    ['a quota', answers(403, EXCEEDED_QUOTA), 'Exhausted'],
    ['its size', answers(413), 'Exhausted'],
    ['permissions', answers(403, 'Forbidden'), 'Unavailable'],
    ['an admission', answers(422, 'Invalid'), 'Unavailable'],
  ])('and not tried again, where it is rejected for %s', async (_, error, code) => {
    const { calls, failure } = await write([error, undefined]);
    expect(calls).toHaveLength(1);
    expect(failure).toMatchObject({ code });
  });
});
