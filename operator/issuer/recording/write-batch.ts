import type { TokenBatch } from '../../api/token-batch.ts';
import { withDeadline } from '../../async/deadline.ts';
import { createSemaphore } from '../../async/semaphore.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import type { NewTokenBatch } from '../../domain/record/token-batch.ts';
import type { Clock } from '../../ports/clock.ts';
import { ApiError, isAlreadyExists, type ResourceClient } from '../../ports/kube.ts';
import { IssuerFailure, SEMAPHORE_ERRORS } from '../failure.ts';
import type { WriteBatch } from './group-commit.ts';
import { recordFailure } from './record-failure.ts';

export interface WriteBatchOptions {
  readonly batches: Pick<ResourceClient<TokenBatch>, 'create' | 'get'>;
  /** Is told of each object as the API server answered it, before anybody else is. */
  readonly onRecorded: (batch: TokenBatch) => void;
  readonly clock: Clock;
}

/** Writes under way keep an API server of many cores busy. */
const WRITES = { atOnce: 64, waiting: 4096 };
/** Of one try: after it, nobody knows whether the object is there. */
const TRY_MS = 5000;
/** A caller's patience is at its end by then. */
const MAX_TRIES = 3;

/** Whether the write may have been done all the same: no answer, or one of a server that gave up on it. */
const isUnresolved = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 0 || error.status >= 500);

/**
 * Makes {@link WriteBatch}. A write whose outcome is not known is resolved by the same create under the same name: created,
 * or there already with an equal spec, is recorded (spec §2.3). Who waits is answered after that alone.
 */
export const createWriteBatch = ({ batches, onRecorded, clock }: WriteBatchOptions): WriteBatch => {
  const semaphore = createSemaphore({ ...WRITES, errors: SEMAPHORE_ERRORS });

  const findSame = async (batch: NewTokenBatch, signal: AbortSignal): Promise<TokenBatch> => {
    const there = await batches.get(batch.metadata, { signal });
    if (canonicalJson(there.spec) === canonicalJson(batch.spec)) return there;
    throw new IssuerFailure('Unavailable', 'the token can not be recorded now, try again later', {
      detail: 'a TokenBatch of that name is there, with another spec',
    });
  };

  const tryOnce = (batch: NewTokenBatch): Promise<TokenBatch> =>
    withDeadline({ clock, ms: TRY_MS }, async (signal) => {
      try {
        return await batches.create(batch, { signal });
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        return findSame(batch, signal);
      }
    });

  const write = async (batch: NewTokenBatch): Promise<TokenBatch> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await tryOnce(batch);
      } catch (error) {
        if (!isUnresolved(error) || tries === MAX_TRIES) throw error;
      }
    }
  };

  // The callers may go one by one; the object is all of theirs.
  const nobodys = new AbortController().signal;
  return async (batch) => {
    try {
      onRecorded(await semaphore.run(() => write(batch), nobodys));
    } catch (error) {
      throw recordFailure(error);
    }
  };
};
