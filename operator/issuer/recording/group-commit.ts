import type { OAuthClient } from '../../api/oauth-client.ts';
import { claimOf } from '../../domain/client/client-id-claim.ts';
import { batchNameFrom } from '../../domain/record/batch-id.ts';
import {
  BatchDraft,
  batchWindowOf,
  type NewTokenBatch,
  type RecordFields,
} from '../../domain/record/token-batch.ts';
import { IssuerFailure } from '../failure.ts';

/** A record that has its place in a TokenBatch. */
interface Placed {
  /** The `jti`. */
  readonly id: string;
  /** Resolves when the API server has acknowledged the record; rejects with what {@link WriteBatch} threw. */
  readonly recorded: Promise<void>;
}

/** Gives a record its place, from which its id is known at once. @throws IssuerFailure `Exhausted` where too many wait */
export type PlaceRecord = (client: OAuthClient, content: RecordFields) => Placed;

/** Writes a TokenBatch: when it resolves, the API server has it. @throws IssuerFailure */
export type WriteBatch = (batch: NewTokenBatch) => Promise<void>;

export interface GroupCommitOptions {
  readonly writeBatch: WriteBatch;
  /** A version 4 UUID from the system's randomness. */
  readonly newID: () => string;
  /** Runs it once what came in together has been read. */
  readonly defer: (work: () => void) => void;
}

/** Full objects of the same kind of record that are written at once. */
const WRITES_AT_ONCE = 4;
/** Records that wait for a write to begin: a few seconds of an API server's work. */
const MAX_WAITING = 16_384;

/** An object that is being filled, and those who wait for it. */
interface Filling {
  readonly draft: BatchDraft;
  readonly recorded: Promise<void>;
  readonly settle: (outcome: Promise<void>) => void;
}

const fill = (draft: BatchDraft): Filling => {
  const { promise, resolve } = Promise.withResolvers<void>();
  // Each caller hears of a failure by itself; one that has gone needs nobody to.
  promise.catch(() => undefined);
  return { draft, recorded: promise, settle: resolve };
};

/** What of one client may share an object: it goes away when nothing of it waits or is being written. */
interface Lane {
  /** In the order in which they are to be written; the last one is being filled. */
  readonly waiting: Filling[];
  writing: number;
  isScheduled: boolean;
}

/**
 * Makes {@link PlaceRecord} (spec §2.3): what is asked for while a write is under way goes into the next object, and
 * nothing waits when nothing is under way. Only full objects are written beside each other.
 */
export const createGroupCommit = ({ writeBatch, newID, defer }: GroupCommitOptions): PlaceRecord => {
  const lanes = new Map<string, Lane>();
  let waiting = 0;

  const isDue = ({ waiting: [first, second], writing }: Lane): boolean => {
    if (first === undefined) return false;
    return writing === 0 || (second !== undefined && writing < WRITES_AT_ONCE);
  };

  const pump = (key: string, lane: Lane): void => {
    lane.isScheduled = false;
    while (isDue(lane)) {
      const filling = lane.waiting.shift();
      if (filling === undefined) break;
      waiting -= filling.draft.size;
      lane.writing += 1;
      const written = writeBatch(filling.draft.build()).finally(() => {
        lane.writing -= 1;
        pump(key, lane);
      });
      filling.settle(written);
    }
    if (lane.waiting.length === 0 && lane.writing === 0) lanes.delete(key);
  };

  /** In a moment, so that what has come in with it goes along. */
  const schedule = (key: string, lane: Lane): void => {
    if (lane.isScheduled || !isDue(lane)) return;
    lane.isScheduled = true;
    defer(() => pump(key, lane));
  };

  const laneOf = (key: string): Lane => {
    const known = lanes.get(key);
    if (known) return known;
    const lane: Lane = { waiting: [], writing: 0, isScheduled: false };
    lanes.set(key, lane);
    return lane;
  };

  return (client, content) => {
    if (waiting >= MAX_WAITING) {
      throw new IssuerFailure('Exhausted', 'too much is asked for at the moment, try again later');
    }
    const key = `${client.metadata.uid} ${batchWindowOf(content)}`;
    const lane = laneOf(key);
    let filling = lane.waiting.at(-1);
    let id = filling?.draft.add(content);
    if (filling === undefined || id === undefined) {
      filling = fill(new BatchDraft(batchNameFrom(newID()), client, claimOf(client)));
      lane.waiting.push(filling);
      id = filling.draft.add(content);
    }
    if (id === undefined) throw new Error('an empty draft has room');
    waiting += 1;
    schedule(key, lane);
    return { id, recorded: filling.recorded };
  };
};
