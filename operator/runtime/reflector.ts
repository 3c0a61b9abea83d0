import { type BackoffBounds, fullJitterMs } from '../async/backoff.ts';
import { sleep } from '../async/sleep.ts';
import type { Cacheable } from '../ports/cache.ts';
import type { Clock } from '../ports/clock.ts';
import { ApiError, isExpired, isForbidden } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ListWatch, WatchEvent } from '../ports/watch.ts';
import type { ScopeAccess } from './namespace-access.ts';
import { cacheKeyOf, type ObjectStore } from './object-store.ts';
import { advanceWatchCacheWhenSilent } from './watch-cache-advance.ts';
import { StallTimer, WatchProgress } from './watch-progress.ts';

type Bookmark = Extract<WatchEvent<never>, { type: 'BOOKMARK' }>;

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
/** 403 for so long is not the start of an API server whose authorizer has not read the roles yet. Shorter than a cache may be without contact. */
const DENIED_AFTER_MS = 5_000;

/**
 * Keeps a store synced with the API server, after client-go's Reflector: the first state by watch-list (KEP-3157), or by paged
 * lists if the server does not support it, or if the one before stalled; then events, resumed at the last resourceVersion after anything but a 410, which
 * alone makes it list again. After a gap the list brings the store to the current state: intermediate changes are not seen, and an
 * object created again under its name is reported as a deletion and an addition.
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
  /** When the present row of 403s began; undefined if there is none. */
  #deniedSince: number | undefined;
  #isDenied = false;
  readonly #progress = new WatchProgress();
  /** Keys of the list that a watch-list is sending; undefined once it is complete. */
  #listedKeys: Set<string> | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  /** The first whole list is in the store. */
  get synced(): boolean {
    return this.#synced;
  }

  /** The API server has denied the scope for some seconds; until the next whole list. Never for a scope that is required. */
  get isDenied(): boolean {
    return this.#isDenied;
  }

  /** Denied, since its namespace does not exist. */
  get isGone(): boolean {
    return this.#isDenied && this.#options.access?.isGone() === true;
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

  /** When the API server last gave any sign on the connection of this watch. */
  get lastContact(): number {
    return Math.max(this.#lastProgress, this.#options.source.contact.lastAnswerAt());
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
    try {
      while (!signal.aborted) await this.#runOnce(signal);
    } finally {
      this.#alive = false;
    }
  }

  async #runOnce(signal: AbortSignal): Promise<void> {
    const { clock, random, metrics, source } = this.#options;
    const startedAt = clock.now();
    const stall = new StallTimer(clock, this.#options.stallAfterMs ?? STALL_AFTER_MS, signal);
    let failure: unknown;
    try {
      if (this.#resourceVersion === undefined && this.#usesPagedLists()) await this.#listAll(stall);
      await this.#follow(stall);
    } catch (error) {
      failure = error;
    } finally {
      stall.stop();
    }
    if (signal.aborted) return;
    const why = stall.stalled ? 'stalled' : this.#classify(failure);
    metrics.watchRestarted(source.resource, why);
    if (why !== 'closed') this.#logRestart(why, failure);
    // The end-of-list bookmark never came, or the connection stalled: paged lists make progress in either case.
    if (why === 'stalled' && this.#resourceVersion === undefined) this.#hasWatchListStalled = true;
    if (clock.now() - startedAt >= HEALTHY_STREAM_MS) this.#failures = 0;
    const askedMs = failure instanceof ApiError ? (failure.retryAfterMs ?? 0) : 0;
    const jitterMs =
      why === 'closed' && this.#failures === 0 ? 0 : fullJitterMs(this.#failures, BACKOFF, random);
    this.#failures++;
    await sleep(clock, Math.max(askedMs, Math.min(jitterMs, this.#untilDenied())), signal);
  }

  /** Milliseconds until another 403 means that the scope is denied. */
  #untilDenied(): number {
    if (this.#deniedSince === undefined || this.#isDenied) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#deniedSince + DENIED_AFTER_MS - this.#options.clock.now());
  }

  /** Takes a 403, or any other end. What is denied is listed again once it is permitted. */
  #takeDenial(failure: unknown): void {
    const { access, clock, store, inScope } = this.#options;
    if (access === undefined) return;
    if (!isForbidden(failure)) {
      this.#deniedSince = undefined;
      return;
    }
    this.#deniedSince ??= clock.now();
    if (clock.now() - this.#deniedSince < DENIED_AFTER_MS) return;
    this.#resourceVersion = undefined;
    if (!this.#isDenied) {
      this.#isDenied = true;
      access.denied();
      this.#options.onSettled?.();
    }
    if (access.isGone()) store.drop(inScope);
  }

  /** What ended the stream. A 410, and a rejected watch-list, also change how the next one begins. */
  #classify(failure: unknown): 'closed' | 'error' | 'expired' {
    this.#takeDenial(failure);
    if (failure === undefined) return 'closed';
    if (failure instanceof ApiError && failure.status > 0) this.#lastRejected = this.#options.clock.now();
    if (isExpired(failure)) {
      // The API server answers again, so that the list starts with the shortest backoff; a list that itself expires is a failure like any other.
      if (this.#resourceVersion !== undefined) this.#failures = 0;
      this.#resourceVersion = undefined;
      return 'expired';
    }
    const isRejected = failure instanceof ApiError && (failure.status === 400 || failure.status === 422);
    if (isRejected && this.#resourceVersion === undefined) this.#isWatchListRejected = true;
    return 'error';
  }

  #usesPagedLists(): boolean {
    return this.#isWatchListRejected || this.#hasWatchListStalled;
  }

  #logRestart(why: string, error: unknown): void {
    const { log, source } = this.#options;
    // Of a scope that is denied the log has one line.
    const level = this.#failures >= 3 && this.#deniedSince === undefined ? 'warn' : 'debug';
    log[level]('watch restarts', { resource: source.resource, why, failures: this.#failures, error });
  }

  /** The whole list, page by page, each in the store before the next is asked for. */
  async #listAll(stall: StallTimer): Promise<void> {
    const { source, store, pageSize = PAGE_SIZE } = this.#options;
    const seen = new Set<string>();
    let continueToken: string | undefined;
    do {
      const page = await source.list({ limit: pageSize, continueToken, signal: stall.signal });
      // The owner may have stopped this reflector and dropped its objects meanwhile: do not add them again.
      stall.signal.throwIfAborted();
      stall.touch();
      for (const item of page.items) {
        seen.add(cacheKeyOf(item));
        store.apply(item);
      }
      continueToken = page.continueToken;
      if (continueToken === undefined) this.#finishList(seen, page.resourceVersion);
    } while (continueToken !== undefined);
  }

  #finishList(seen: ReadonlySet<string>, resourceVersion: string): void {
    this.#options.store.prune({ seen, resourceVersion, inScope: this.#options.inScope });
    this.#lastListed = this.#options.clock.now();
    this.#hasWatchListStalled = false;
    this.#advanceTo(resourceVersion);
    if (this.#isDenied) this.#options.access?.permitted();
    const isSettled = this.#synced && !this.#isDenied;
    this.#synced = true;
    this.#isDenied = false;
    if (!isSettled) this.#options.onSettled?.();
  }

  /** One watch, to its end. Without a resourceVersion it begins with the whole list (KEP-3157). */
  async #follow(stall: StallTimer): Promise<void> {
    const { source, random, clock } = this.#options;
    this.#listedKeys = this.#resourceVersion === undefined ? new Set() : undefined;
    const batches = await source.watch({
      resourceVersion: this.#resourceVersion ?? '',
      initialEvents: this.#listedKeys !== undefined,
      // 5 to 10 minutes, as client-go: not all watches of a fleet end together.
      timeoutSeconds: Math.round(300 * (1 + random())),
      signal: stall.signal,
    });
    stall.touch();
    this.#advanceWatchCache(stall.signal);
    for await (const batch of batches) {
      if (stall.signal.aborted) return;
      this.#lastProgress = clock.now();
      stall.touch();
      for (const event of batch) this.#take(event);
      // Half a list is not a success: the next try costs the API server a whole one.
      if (this.#listedKeys === undefined) this.#failures = 0;
    }
  }

  #advanceWatchCache(signal: AbortSignal): void {
    const { clock, source, advanceWatchCacheAfterMs } = this.#options;
    if (advanceWatchCacheAfterMs === undefined) return;
    advanceWatchCacheWhenSilent({
      clock,
      silentMs: advanceWatchCacheAfterMs,
      lastProgress: () => this.#lastProgress,
      advanceWatchCache: () => source.advanceWatchCache(signal),
      signal,
    });
  }

  /** Applies one event. The resourceVersion of an event is where the watch resumes, but not before the list is complete: initial events have no order. */
  #take(event: WatchEvent<T>): void {
    switch (event.type) {
      case 'BOOKMARK':
        this.#takeBookmark(event);
        return;
      case 'TOO_LARGE':
        this.#options.log.warn('an object is too large: the cache does not follow it', {
          resource: this.#options.source.resource,
        });
        return;
      case 'DELETED':
        this.#listedKeys?.delete(cacheKeyOf(event.object));
        this.#options.store.remove(event.object);
        break;
      case 'ADDED':
      case 'MODIFIED':
        this.#listedKeys?.add(cacheKeyOf(event.object));
        this.#options.store.apply(event.object);
        break;
    }
    if (this.#listedKeys === undefined) this.#advanceTo(event.resourceVersion);
  }

  #advanceTo(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    this.#progress.advance(resourceVersion);
  }

  /** A bookmark says that every event up to its resourceVersion has been sent; the one annotated `k8s.io/initial-events-end` completes the list. */
  #takeBookmark({ initialEventsEnd, resourceVersion }: Bookmark): void {
    if (this.#listedKeys === undefined) {
      this.#advanceTo(resourceVersion);
    } else if (initialEventsEnd) {
      this.#finishList(this.#listedKeys, resourceVersion);
      this.#listedKeys = undefined;
    }
  }
}
