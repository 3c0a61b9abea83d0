import { createFairSemaphore, type FairSemaphore, RecentGroups } from '../async/fair-semaphore.ts';
import { createFairTurns, type FairTurns } from '../async/fair-turns.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import { calledOff, IssuerFailure } from './failure.ts';

/**
 * What requests wait for, with what is done at a time and may wait, in all and for one client or address (spec §4, Fair shares). Where
 * it is the API server that is asked, a tenth of a second to a few seconds of its work may wait; what is done at a time adds up to
 * fewer than the connections for requests (compose.ts), so that nothing waits for a connection, where there are no turns.
 */
const LIMITS = {
  /** Creates of IssuedTokens and TokenBatches: enough to keep an API server with many cores busy. */
  records: {
    atOnce: 48,
    atOncePerGroup: { alone: 32, besideOthers: 4 },
    waiting: 8192,
    waitingPerGroup: 4096,
  },
  /** Writes that revoke, which leave the API server capacity to record new tokens. */
  revocations: {
    atOnce: 32,
    atOncePerGroup: { alone: 16, besideOthers: 4 },
    waiting: 8192,
    waitingPerGroup: 4096,
  },
  /** GetTokens of all tokens of an owner: each holds its ids for as long as its client takes to read it. */
  streams: {
    atOnce: 256,
    atOncePerGroup: { alone: 64, besideOthers: 32 },
    waiting: 1024,
    waitingPerGroup: 256,
  },
  /** Lists of all records of an owner at the API server. */
  lists: { atOnce: 4, atOncePerGroup: { alone: 2, besideOthers: 1 }, waiting: 256, waitingPerGroup: 64 },
  /**
   * Requests with ids in filters that have to be read, since no cache knows them or a stale one does: each makes two reads at a time
   * (registry/lookups.ts), and holds up to 1,000 ids meanwhile.
   */
  filters: { atOnce: 8, atOncePerGroup: { alone: 4, besideOthers: 1 }, waiting: 256, waitingPerGroup: 64 },
  /** Reads for the validation of JWTs, and of clients. */
  validations: {
    atOnce: 32,
    atOncePerGroup: { alone: 16, besideOthers: 4 },
    waiting: 2048,
    waitingPerGroup: 1024,
  },
  /** Checks of signatures of JWTs, which anybody can make up, by the threads of this process. */
  signatures: {
    atOnce: 16,
    atOncePerGroup: { alone: 16, besideOthers: 8 },
    waiting: 8192,
    waitingPerGroup: 2048,
  },
  /** TokenReviews, which anybody can cause who names a client and one of its ServiceAccounts. */
  reviews: { atOnce: 16, atOncePerGroup: { alone: 8, besideOthers: 2 }, waiting: 512, waitingPerGroup: 128 },
  /** Checks of assertions and reads of Secrets beyond the limit of failed attempts. */
  beyondFailureLimit: {
    atOnce: 8,
    atOncePerGroup: { alone: 4, besideOthers: 2 },
    waiting: 512,
    waitingPerGroup: 128,
  },
};

/** Enough that what starts in one turn fills a batch, and little enough that others notice nothing. */
const TURN_MS = 10;
/**
 * For the parts of lists, which fill no batch. An operating system's queue of new connections gives one to each server in a turn
 * (libuv), so that turns must be short for as long as many lists are sent.
 */
const LIST_TURN_MS = 3;
/** A fraction of a second of this process. */
const TURN_LIMITS = { total: 8192, perGroup: 2048 };

/** The name of a queue; also a label of a metric. `turns` is that of {@link createRequestTurns} and {@link createListTurns}. */
type RequestQueue = keyof typeof LIMITS | 'turns';

/** The queues that requests share. */
export type RequestQueues = Readonly<Record<keyof typeof LIMITS, FairSemaphore>>;

/** Counts a request that is rejected because too many wait, and makes its failure. */
export const overloaded = (queue: RequestQueue, metrics: Pick<Metrics, 'requestDropped'>): IssuerFailure => {
  metrics.requestDropped(queue);
  return new IssuerFailure('Exhausted', 'too much is asked for at the moment, try again later', {
    detail: `too many wait in the queue ${queue}`,
  });
};

const turnsOf =
  (budgetMs: number) =>
  (
    metrics: Pick<Metrics, 'requestDropped'>,
    clock: MonotonicClock,
    defer: (work: () => void) => void,
  ): FairTurns =>
    createFairTurns({
      budgetMs,
      waiting: TURN_LIMITS,
      clock,
      defer,
      full: () => overloaded('turns', metrics),
    });

/** Makes the turns in which requests start. */
export const createRequestTurns = turnsOf(TURN_MS);

/** Makes the turns in which the parts of lists are made. */
export const createListTurns = turnsOf(LIST_TURN_MS);

/** Makes the queues of a process. */
export const createRequestQueues = (
  metrics: Pick<Metrics, 'requestDropped'>,
  clock: MonotonicClock,
): RequestQueues => {
  const clients = new RecentGroups();
  // Not yet known to be of which client.
  const unverified = new RecentGroups();
  const reviewed = new RecentGroups();
  const failing = new RecentGroups();
  const reading = new RecentGroups();
  const queue = (name: keyof typeof LIMITS, groups = clients): FairSemaphore =>
    createFairSemaphore({
      ...LIMITS[name],
      groups,
      clock,
      errors: { full: () => overloaded(name, metrics), aborted: calledOff },
    });
  return {
    records: queue('records'),
    revocations: queue('revocations'),
    streams: queue('streams', reading),
    lists: queue('lists'),
    filters: queue('filters'),
    validations: queue('validations'),
    signatures: queue('signatures', unverified),
    reviews: queue('reviews', reviewed),
    beyondFailureLimit: queue('beyondFailureLimit', failing),
  };
};
