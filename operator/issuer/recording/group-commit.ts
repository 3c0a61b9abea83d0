import type { TokenBatch } from '../../api/token-batch.ts';
import { withDeadline } from '../../async/abort.ts';
import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { clientKey } from '../../domain/caller-address.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { requestedClientID } from '../../domain/client/client-rules.ts';
import { batchNameFrom, readEntry } from '../../domain/record/cached-token-batch.ts';
import { BatchDraft, lifetimeClassOf, type NewTokenBatch } from '../../domain/record/token-batch.ts';
import type { Clock } from '../../ports/clock.ts';
import { ApiError, isAlreadyExists, type ResourceClient } from '../../ports/kube.ts';
import { IssuerFailure, recordFailure } from '../failure.ts';
import type { AddToBatch, CheckAge } from './record-token.ts';

/** Writes a TokenBatch; resolves once the API server has it. @throws IssuerFailure */
export type WriteBatch = (batch: NewTokenBatch) => Promise<void>;

export interface GroupCommitOptions {
  readonly writeBatch: WriteBatch;
  /** A random version 4 UUID. */
  readonly newID: () => string;
  /** Runs `work` after pending I/O events, as `setImmediate` does: requests read in one turn of the event loop share a batch. */
  readonly defer: (work: () => void) => void;
  /** Makes the failure of a record for which there is no room. */
  readonly overloaded: () => IssuerFailure;
}

/** Concurrent writes of full batches of one lane. */
const WRITES_AT_ONCE = 4;
/** Records in all lanes that are not passed to {@link WriteBatch} yet, which has a queue too: a few seconds of an API server's work for each of two clients. */
const MAX_UNSENT_RECORDS = 32_768;

/**
 * Counts the records that are not sent yet. One client may have as many as there is room left for others, so half of all while it is
 * alone; one that has few is never rejected because of another one that has many.
 */
class UnsentRecords {
  readonly #byClient = new Map<string, number>();
  #total = 0;

  hasRoomFor(clientUID: string): boolean {
    return this.#of(clientUID) < MAX_UNSENT_RECORDS - this.#total;
  }

  add(clientUID: string): void {
    this.#total += 1;
    this.#byClient.set(clientUID, this.#of(clientUID) + 1);
  }

  remove(clientUID: string, count: number): void {
    this.#total -= count;
    const left = this.#of(clientUID) - count;
    if (left > 0) this.#byClient.set(clientUID, left);
    else this.#byClient.delete(clientUID);
  }

  #of(clientUID: string): number {
    return this.#byClient.get(clientUID) ?? 0;
  }
}

/** A batch that is being filled, and the promise of its write. */
interface PendingBatch {
  readonly draft: BatchDraft;
  readonly recorded: Promise<void>;
  readonly settle: (written: Promise<void>) => void;
}

const pendingBatch = (draft: BatchDraft): PendingBatch => {
  const { promise, resolve } = Promise.withResolvers<void>();
  // Each caller handles the rejection itself; without a caller it is not an unhandled one.
  promise.catch(() => undefined);
  return { draft, recorded: promise, settle: resolve };
};

/** One per client and lifetime class (spec §2.3), whose records may share a TokenBatch. Removed when it has no batch and no write. */
interface Lane {
  readonly clientUID: string;
  /** In the order of their writes; the last one is being filled. */
  readonly batches: PendingBatch[];
  writing: number;
  isScheduled: boolean;
}

/**
 * Makes {@link AddToBatch} (spec §2.3, decision 0016): records that arrive during a write of their lane go into its next batch. A batch
 * that is not full starts only if its lane has no write in progress; full ones start while fewer than 4 are.
 */
export const createGroupCommit = (options: GroupCommitOptions): AddToBatch => {
  const { writeBatch, newID, defer, overloaded } = options;
  const lanes = new Map<string, Lane>();
  const unsent = new UnsentRecords();

  const isDue = ({ batches: [first, second], writing }: Lane): boolean => {
    if (first === undefined) return false;
    return writing === 0 || (second !== undefined && writing < WRITES_AT_ONCE);
  };

  const writeDue = (key: string, lane: Lane): void => {
    lane.isScheduled = false;
    while (isDue(lane)) {
      const pending = lane.batches.shift();
      if (pending === undefined) break;
      unsent.remove(lane.clientUID, pending.draft.size);
      lane.writing += 1;
      const written = writeBatch(pending.draft.build()).finally(() => {
        lane.writing -= 1;
        writeDue(key, lane);
      });
      pending.settle(written);
    }
    if (lane.batches.length === 0 && lane.writing === 0) lanes.delete(key);
  };

  /** Deferred, so that records that arrived together share the batch. */
  const schedule = (key: string, lane: Lane): void => {
    if (lane.isScheduled || !isDue(lane)) return;
    lane.isScheduled = true;
    defer(() => writeDue(key, lane));
  };

  const laneOf = (key: string, clientUID: string): Lane => {
    const known = lanes.get(key);
    if (known) return known;
    const lane: Lane = { clientUID, batches: [], writing: 0, isScheduled: false };
    lanes.set(key, lane);
    return lane;
  };

  return (client, fields) => {
    const { uid } = client.metadata;
    if (!unsent.hasRoomFor(uid)) throw overloaded();
    const key = `${uid} ${lifetimeClassOf(fields)}`;
    const lane = laneOf(key, uid);
    let pending = lane.batches.at(-1);
    let id = pending?.draft.add(fields);
    if (pending === undefined || id === undefined) {
      pending = pendingBatch(new BatchDraft(batchNameFrom(newID()), client, requestedClientID(client)));
      lane.batches.push(pending);
      id = pending.draft.add(fields);
    }
    if (id === undefined) throw new Error('an empty draft has room');
    unsent.add(uid);
    schedule(key, lane);
    return { id, recorded: pending.recorded };
  };
};

export interface WriteBatchOptions {
  readonly batches: Pick<ResourceClient<TokenBatch>, 'create' | 'get'>;
  /** Called with each object as the API server returned it, before any caller gets its token. */
  readonly onRecorded: (batch: TokenBatch) => void;
  readonly checkAge: CheckAge;
  /** Bounds the writes, and lets clients take turns. */
  readonly queue: FairSemaphore;
  readonly clock: Clock;
}

/** Time for one try; after it the outcome of the write is unknown. */
const TRY_MS = 5000;
/** Tries of one write, without a pause and at most 15 s in all: most callers have given up by then. */
const MAX_TRIES = 3;

/** The records of a batch may come from any addresses. */
const SEVERAL = { address: '' };

/** Whether the write may have succeeded nevertheless: no answer, or a server error. */
const isUnresolved = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 0 || error.status >= 500);

/**
 * Makes {@link WriteBatch}. A write with an unknown outcome is repeated under the same name: the batch is recorded if the create
 * succeeds, or if an object with an equal spec exists (spec §2.3).
 */
export const createWriteBatch = (options: WriteBatchOptions): WriteBatch => {
  const { batches, onRecorded, checkAge, queue, clock } = options;
  // No single caller may cancel the write that all of them share.
  const neverAborts = new AbortController().signal;

  const findEqual = async (batch: NewTokenBatch, signal: AbortSignal): Promise<TokenBatch> => {
    const existing = await batches.get(batch.metadata, { signal });
    if (canonicalJson(existing.spec) === canonicalJson(batch.spec)) return existing;
    throw new IssuerFailure('Unavailable', 'the token can not be recorded now, try again later', {
      detail: 'a TokenBatch of that name exists with another spec',
    });
  };

  const tryOnce = (batch: NewTokenBatch): Promise<TokenBatch> =>
    withDeadline({ clock, ms: TRY_MS }, async (signal) => {
      try {
        return await batches.create(batch, { signal });
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        return findEqual(batch, signal);
      }
    });

  const write = async (batch: NewTokenBatch): Promise<TokenBatch> => {
    // The first record has waited for the longest time.
    const [first] = batch.spec.tokens;
    if (first !== undefined) checkAge(readEntry(first).issuedAt);
    for (let tries = 1; ; tries += 1) {
      try {
        return await tryOnce(batch);
      } catch (error) {
        if (!isUnresolved(error) || tries === MAX_TRIES) throw error;
      }
    }
  };

  return async (batch) => {
    const client = { namespace: batch.metadata.namespace, name: batch.spec.clientRef.name };
    try {
      const written = await queue.run(clientKey(client, SEVERAL), () => write(batch), neverAborts);
      onRecorded(written);
    } catch (error) {
      throw recordFailure(error);
    }
  };
};
