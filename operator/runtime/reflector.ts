import { isOlder } from '../api/meta.ts';
import { type BackoffBounds, fullJitterMs } from '../async/backoff.ts';
import { sleep } from '../async/sleep.ts';
import type { Cacheable } from '../ports/cache.ts';
import type { Clock } from '../ports/clock.ts';
import { ApiError, isExpired, isVersionTooLarge } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ListWatch, WatchEvent } from '../ports/watch.ts';
import { Denial } from './denial.ts';
import type { ListPass } from './list-pass.ts';
import type { ScopeAccess } from './namespace-access.ts';
import type { ObjectStore } from './object-store.ts';
import { RewindBackoff, type Rewinds } from './rewinds.ts';
import { advanceWatchCacheWhenSilent } from './watch-cache-advance.ts';
import { StallTimer, WatchProgress } from './watch-progress.ts';

export interface ReflectorOptions<T extends Cacheable> {
  readonly source: ListWatch<T>;
  readonly store: ObjectStore<T>;
  /** The keys of this reflector's scope: the store is shared with reflectors of other namespaces or names, and what a list lacks is removed only within it. */
  readonly inScope: (key: string) => boolean;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'watchRestarted'>;
  /** Shared by all reflectors of the process. */
  readonly rewinds: Rewinds;
  /** A stream without an event or bookmark for so long is ended and restarted. The API server sends a bookmark each minute, but only if its watch cache has advanced. */
  readonly stallAfterMs?: number;
  readonly pageSize?: number;
  /** After so long without an event or bookmark the API server is made to advance its watch cache, so that it sends one (decision 0017). Absent: never. */
  readonly advanceWatchCacheAfterMs?: number;
  /** Of a scope without which the others are served. Absent: what the API server denies is tried again, and nothing else. */
  readonly access?: ScopeAccess | undefined;
  /** Called when it is synced, and when its scope is denied. */
  readonly onSettled?: () => void;
}

const BACKOFF: BackoffBounds = { baseMs: 100, capMs: 10_000 };
const STALL_AFTER_MS = 90_000;
const PAGE_SIZE = 500;
/** A stream that lived so long was healthy, however it ended: the backoff starts anew. */
const HEALTHY_STREAM_MS = 5_000;
/** Between two tries to learn where the API server is. */
const CONFIRM_AGAIN_MS = 1_000;

/** Why a watch was started again; also the label `why`. */
type RestartCause = Parameters<Metrics['watchRestarted']>[1];

/**
 * Keeps a store synced with the API server, after client-go's Reflector: the first state by watch-list (KEP-3157), or by paged
 * lists if the server does not support it, or if the one before stalled; then events, resumed at the last resourceVersion. It lists again after a 410, and when the API
 * server turns out to be at an earlier state than before: it accepts a watch at a resourceVersion to come and is silent, so that each
 * watch that resumes counts only once the server is known to have come that far. After a gap the list brings the store to the current
 * state: intermediate changes are not seen, and an object created again under its name is reported as a deletion and an addition.
 */
export class Reflector<T extends Cacheable> {
  readonly #options: ReflectorOptions<T>;
  #resourceVersion: string | undefined;
  /** The server has rejected watch-list: it does not support it. */
  #isWatchListRejected = false;
  /** A watch-list has stalled: the next whole list comes by pages. */
  #hasWatchListStalled = false;
  /** Restarts in a row without progress. */
  #failures = 0;
  #synced = false;
  #alive = false;
  #lastProgress = 0;
  #lastListed: number | undefined;
  /** When the last answer of the API server came that was an error. */
  #lastRejected = 0;
  /** The present watch goes on from where the last one ended, or from a list. */
  #isFollowing = false;
  /** When the last watch that did so was last in contact. */
  #contactBefore = 0;
  /** The API server was found at an earlier state: nothing counts until everything is listed again. */
  #isRewound = false;
  /** It is this reflector that found it, by listing everything. */
  #isCurrent = false;
  /** The last watch was ended because it was silent. */
  #hasStalled = false;
  /** Ends the present watch, or the wait for the next. */
  #restart = new AbortController();
  readonly #denial = new Denial();
  /** Its namespace is gone, and its objects are no longer in the store. */
  #isDropped = false;
  readonly #rewindBackoff = new RewindBackoff();
  readonly #progress = new WatchProgress();
  /** The list that is being read; undefined once it is complete. */
  #pass: ListPass<T> | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  /** The first whole list is in the store. */
  get synced(): boolean {
    return this.#synced;
  }

  /** The API server has denied the scope for some seconds; until the next whole list. Never for a scope that is required. */
  get isDenied(): boolean {
    return this.#denial.isDenied;
  }

  /** Denied, since its namespace does not exist. */
  get isGone(): boolean {
    return this.isDenied && this.#options.access?.isGone() === true;
  }

  /** {@link Reflector.run} is running. */
  get alive(): boolean {
    return this.#alive;
  }

  /** When an event or bookmark last came, in epoch milliseconds; 0 before the first. */
  get lastProgress(): number {
    return this.#lastProgress;
  }

  /** When the API server last answered this reflector, be it with an error. */
  get lastAnswered(): number {
    return Math.max(this.#lastProgress, this.#lastRejected);
  }

  /** Whether the connection of this watch is pinged, so that {@link Reflector.lastContact} is recent while the API server answers. */
  get isPinged(): boolean {
    return this.#options.source.contact.arePinged;
  }

  /**
   * When the API server last gave any sign on the connection of this watch, while it followed on from what the store has. 0 if what the
   * store has is of another history. While everything is listed again it stays what it was: what is gone leaves the store only at the
   * end of the list.
   */
  get lastContact(): number {
    if (this.#isRewound) return 0;
    if (this.#synced && this.#pass !== undefined) return this.#contactBefore;
    const answered = this.#isFollowing ? this.#options.source.contact.lastAnswerAt : this.#contactBefore;
    return Math.max(this.#lastProgress, answered);
  }

  /**
   * When the last whole list was in the store, in epoch milliseconds; undefined before the first. Every deletion since then was seen:
   * only a list hides what came and went before it.
   */
  get lastListed(): number | undefined {
    return this.#lastListed;
  }

  /** Resolves once every event up to `resourceVersion` is in the store. Rejects with the signal's reason when it aborts. */
  reached(resourceVersion: string, signal: AbortSignal): Promise<void> {
    return this.#progress.reached(resourceVersion, signal);
  }

  /** Runs until `signal` aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    this.#alive = true;
    const unsubscribe = this.#options.rewinds.on(() => this.#rewind());
    try {
      while (!signal.aborted) await this.#runOnce(signal);
    } finally {
      unsubscribe();
      this.#pass?.end();
      this.#alive = false;
    }
  }

  async #runOnce(signal: AbortSignal): Promise<void> {
    const { clock, random, source, stallAfterMs = STALL_AFTER_MS, metrics } = this.#options;
    if (this.#isRewound) this.#resourceVersion = undefined;
    const restart = new AbortController();
    this.#restart = restart;
    const startedAt = clock.now();
    const stall = new StallTimer(clock, stallAfterMs, AbortSignal.any([signal, restart.signal]));
    let failure: unknown;
    try {
      if (this.#resourceVersion === undefined && this.#usesPagedLists()) await this.#listAll(stall);
      await this.#follow(stall);
    } catch (error) {
      failure = error;
    } finally {
      stall.stop();
      this.#endContact();
    }
    if (signal.aborted) return;
    const why = this.#causeOf(failure, { isRewound: restart.signal.aborted, isStalled: stall.stalled });
    this.#hasStalled = why === 'stalled';
    metrics.watchRestarted(source.resource, why);
    if (why !== 'closed') this.#logRestart(why, failure);
    if (clock.now() - startedAt >= HEALTHY_STREAM_MS) this.#failures = 0;
    const waitMs = this.#waitMs(why, failure);
    this.#failures++;
    await sleep(clock, waitMs, signal, restart.signal);
    if (!restart.signal.aborted || signal.aborted) return;
    // Not on the signal of the restart, which has aborted: each further rewind would end the wait.
    await sleep(clock, this.#rewindBackoff.next(clock.now(), random), signal);
  }

  /** What was known before the present watch ended is known for a while. */
  #endContact(): void {
    if (!this.#isRewound) this.#contactBefore = this.lastContact;
    this.#isFollowing = false;
  }

  #waitMs(why: RestartCause, failure: unknown): number {
    const { clock, random } = this.#options;
    const askedMs = failure instanceof ApiError ? (failure.retryAfterMs ?? 0) : 0;
    const jitterMs =
      why === 'closed' && this.#failures === 0 ? 0 : fullJitterMs(this.#failures, BACKOFF, random);
    return Math.max(askedMs, Math.min(jitterMs, this.#denial.untilDenied(clock.now())));
  }

  /** Why the stream ended, and what that changes in how the next one begins. */
  #causeOf(
    failure: unknown,
    ended: { readonly isRewound: boolean; readonly isStalled: boolean },
  ): RestartCause {
    if (ended.isRewound) {
      this.#failures = 0;
      return 'rewound';
    }
    if (!ended.isStalled) return this.#classify(failure);
    // The end-of-list bookmark never came, or the connection stalled: paged lists make progress in either case.
    if (this.#resourceVersion === undefined) this.#hasWatchListStalled = true;
    return 'stalled';
  }

  /** What ended the stream. A resourceVersion that is of no use, and a rejected watch-list, also change how the next one begins. */
  #classify(failure: unknown): RestartCause {
    this.#takeDenial(failure);
    if (failure === undefined) return 'closed';
    if (failure instanceof ApiError && failure.status > 0) this.#lastRejected = this.#options.clock.now();
    // Too large: this server lags, or was put back. The list says which.
    if (isExpired(failure) || isVersionTooLarge(failure)) {
      // The API server answers again, so that the list starts with the shortest backoff; a list that itself expires is a failure like any other.
      if (this.#resourceVersion !== undefined) this.#failures = 0;
      this.#resourceVersion = undefined;
      return 'expired';
    }
    const isRejected = failure instanceof ApiError && (failure.status === 400 || failure.status === 422);
    if (isRejected && this.#resourceVersion === undefined) this.#isWatchListRejected = true;
    return 'error';
  }

  /** Takes a 403, or any other end. What is denied is listed again once it is permitted. */
  #takeDenial(failure: unknown): void {
    const { access, clock, store, inScope } = this.#options;
    if (access === undefined) return;
    const wasDenied = this.isDenied;
    if (!this.#denial.take(failure, clock.now())) return;
    this.#resourceVersion = undefined;
    if (!wasDenied) {
      access.denied();
      this.#options.onSettled?.();
    }
    if (this.#isDropped || !access.isGone()) return;
    // Once: it costs a walk over the objects of all scopes.
    store.drop(inScope);
    this.#isDropped = true;
  }

  #usesPagedLists(): boolean {
    return this.#isWatchListRejected || this.#hasWatchListStalled;
  }

  #logRestart(why: string, error: unknown): void {
    const { log, source } = this.#options;
    // Of a scope that is denied the log has one line.
    const level = this.#failures >= 3 && !this.#denial.isSuspected ? 'warn' : 'debug';
    log[level]('watch restarts', { resource: source.resource, why, failures: this.#failures, error });
  }

  /** The whole list, page by page, each in the store before the next is asked for. */
  async #listAll(stall: StallTimer): Promise<void> {
    const { source, pageSize = PAGE_SIZE } = this.#options;
    const pass = this.#beginList();
    let continueToken: string | undefined;
    do {
      const page = await source.list({ limit: pageSize, continueToken, signal: stall.signal });
      // The owner may have stopped this reflector and dropped its objects meanwhile: do not add them again.
      stall.signal.throwIfAborted();
      stall.touch();
      this.#isDropped = false;
      for (const item of page.items) pass.take(item);
      continueToken = page.continueToken;
      if (continueToken === undefined) this.#finishList(pass, page.resourceVersion);
    } while (continueToken !== undefined);
  }

  #beginList(): ListPass<T> {
    this.#pass?.end();
    this.#pass = this.#options.store.beginList(this.#options.inScope);
    return this.#pass;
  }

  #finishList(pass: ListPass<T>, resourceVersion: string): void {
    const showsEarlier = pass.finish(resourceVersion);
    this.#pass = undefined;
    this.#hasWatchListStalled = false;
    const isFound = (showsEarlier || this.#progress.isBeyond(resourceVersion)) && !this.#isRewound;
    const knownVersion = this.#progress.resourceVersion ?? '';
    this.#isRewound = false;
    this.#isFollowing = true;
    this.#lastListed = this.#options.clock.now();
    this.#advanceTo(resourceVersion);
    this.#settle();
    if (!isFound) return;
    // What it has just listed is the present state.
    this.#isCurrent = true;
    this.#notifyOfRewind({ knownVersion, foundVersion: resourceVersion });
    this.#isCurrent = false;
  }

  #settle(): void {
    const isSettled = this.#synced && !this.isDenied;
    this.#synced = true;
    if (this.isDenied) this.#options.access?.permitted();
    this.#denial.lift();
    if (!isSettled) this.#options.onSettled?.();
  }

  /** Everyone lists again, this reflector too unless it has done so. */
  #notifyOfRewind(versions: { readonly knownVersion: string; readonly foundVersion: string }): void {
    const { rewinds, source } = this.#options;
    rewinds.found({ resource: source.resource, ...versions });
  }

  #rewind(): void {
    if (this.#isCurrent) return;
    this.#isRewound = true;
    this.#restart.abort(new Error('the API server is at an earlier state'));
  }

  /** One watch, to its end. Without a resourceVersion it begins with the whole list (KEP-3157). */
  async #follow(stall: StallTimer): Promise<void> {
    const { source, random, clock } = this.#options;
    const initialEvents = this.#resourceVersion === undefined;
    if (initialEvents) this.#beginList();
    const batches = await source.watch({
      resourceVersion: this.#resourceVersion ?? '',
      initialEvents,
      // 5 to 10 minutes, as client-go: not all watches of a fleet end together.
      timeoutSeconds: Math.round(300 * (1 + random())),
      signal: stall.signal,
    });
    stall.touch();
    if (!initialEvents) this.#confirm(stall.signal);
    this.#advanceWatchCache(stall.signal);
    for await (const batch of batches) {
      if (stall.signal.aborted) return;
      this.#lastProgress = clock.now();
      this.#isDropped = false;
      stall.touch();
      for (const event of batch) {
        this.#take(event);
        if (stall.signal.aborted) return;
      }
      // Half a list is not a success: the next try costs the API server a whole one.
      if (this.#pass === undefined) this.#failures = 0;
    }
  }

  /** Learns whether the API server has come to where this watch goes on; asks until it knows. */
  #confirm(signal: AbortSignal): void {
    const { clock, advanceWatchCacheAfterMs } = this.#options;
    // No answer depends on the freshness of the others: they learn of a rewind from these.
    if (advanceWatchCacheAfterMs === undefined) this.#isFollowing = true;
    const look = async (): Promise<void> => {
      while (!this.#isFollowing && !signal.aborted) {
        await this.#checkVersion(signal).catch(() => sleep(clock, CONFIRM_AGAIN_MS, signal));
      }
      // The new stream begins here. One after a stream that was silent has to show that it is not: decision 0017.
      if (this.#isFollowing && !this.#hasStalled && !signal.aborted) this.#lastProgress = clock.now();
    };
    void look();
  }

  /** Compares the API server's resourceVersion with where this watch was before. @throws ApiError */
  async #checkVersion(signal: AbortSignal): Promise<void> {
    const knownVersion = this.#resourceVersion;
    const foundVersion = await this.#options.source.currentVersion(signal);
    if (signal.aborted || knownVersion === undefined) return;
    if (isOlder(foundVersion, knownVersion)) this.#notifyOfRewind({ knownVersion, foundVersion });
    else this.#isFollowing = true;
  }

  #advanceWatchCache(signal: AbortSignal): void {
    const { clock, advanceWatchCacheAfterMs } = this.#options;
    if (advanceWatchCacheAfterMs === undefined) return;
    advanceWatchCacheWhenSilent({
      clock,
      silentMs: advanceWatchCacheAfterMs,
      lastProgress: () => this.#lastProgress,
      advanceWatchCache: () => this.#checkVersion(signal),
      signal,
    });
  }

  /** Applies one event. The resourceVersion of an event is where the watch resumes, but not before the list is complete: initial events have no order. */
  #take(event: WatchEvent<T>): void {
    if (event.type === 'TOO_LARGE') {
      this.#options.log.warn('an object is too large: the cache does not follow it', {
        resource: this.#options.source.resource,
      });
      return;
    }
    if (this.#pass !== undefined) this.#takeListed(event, this.#pass);
    else this.#takeNext(event);
  }

  #takeListed(event: Exclude<WatchEvent<T>, { type: 'TOO_LARGE' }>, pass: ListPass<T>): void {
    switch (event.type) {
      case 'BOOKMARK':
        if (event.initialEventsEnd) this.#finishList(pass, event.resourceVersion);
        return;
      case 'DELETED':
        pass.remove(event.object);
        return;
      case 'ADDED':
      case 'MODIFIED':
        pass.take(event.object);
    }
  }

  /** Events of a watch come in the order of their resourceVersions. A bookmark says that every event up to its own has been sent. */
  #takeNext(event: Exclude<WatchEvent<T>, { type: 'TOO_LARGE' }>): void {
    const { resourceVersion: foundVersion } = event;
    const knownVersion = this.#resourceVersion;
    if (knownVersion !== undefined && isOlder(foundVersion, knownVersion)) {
      this.#notifyOfRewind({ knownVersion, foundVersion });
      return;
    }
    this.#isFollowing = true;
    const { store } = this.#options;
    if (event.type === 'DELETED') store.remove(event.object);
    else if (event.type !== 'BOOKMARK') store.apply(event.object);
    this.#advanceTo(foundVersion);
  }

  #advanceTo(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    this.#progress.advance(resourceVersion);
  }
}
