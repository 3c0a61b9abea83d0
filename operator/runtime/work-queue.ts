import { type BackoffBounds, equalJitterMs } from '../async/backoff.ts';
import { KeyedLimit } from '../async/keyed-limit.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import { DelayedKeys, namespaceOf, type Priority, ReadyKeys } from './queued-keys.ts';

export interface WorkQueueOptions {
  /** The label `kind` of its metrics. */
  readonly name: string;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly metrics: Pick<Metrics, 'queueDepth' | 'queueWaited'>;
  /** The wait before {@link WorkQueue.retry}; default 50 ms to 5 min. */
  readonly backoff?: BackoffBounds;
  /** The largest number of keys of low priority that workers process at a time; default unlimited. */
  readonly lowConcurrency?: number;
  /** The largest number of keys of one namespace that workers process at a time; default unlimited. */
  readonly namespaceConcurrency?: number;
}

const BACKOFF: BackoffBounds = { baseMs: 50, capMs: 300_000 };

/** The longest timer: a clock that is set forward makes keys due earlier than the timer fires. */
const LONGEST_TIMER_MS = 3_600_000;

/**
 * A queue of keys, modeled on client-go's workqueue: a key is queued once however often it is added. A key that is added while a
 * worker processes it is queued again when the worker is done, so that no two workers process the same key. Keys that are added
 * before {@link WorkQueue.start} are dropped: without workers the queue would only grow.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #ready = new ReadyKeys();
  readonly #delayed = new DelayedKeys();
  /** The keys that workers process, with their priority. */
  readonly #processing = new Map<string, Priority>();
  #lowProcessing = 0;
  readonly #inNamespace: KeyedLimit;
  /** Keys that were added again while a worker processes them. */
  readonly #dirty = new Map<string, Priority>();
  readonly #failures = new Map<string, number>();
  readonly #waiters = new Set<(key: string | undefined) => void>();
  #cancelTimer: (() => void) | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #state: 'idle' | 'open' | 'closed' = 'idle';

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    const perKey = options.namespaceConcurrency ?? Number.POSITIVE_INFINITY;
    this.#inNamespace = new KeyedLimit({ total: Number.POSITIVE_INFINITY, perKey });
  }

  /** The number of keys that are due and not yet taken. */
  get depth(): number {
    return this.#ready.size;
  }

  /** The number of keys that become due later. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** The number of keys that workers process. */
  get processing(): number {
    return this.#processing.size;
  }

  /** Accepts keys from now on. */
  start(): void {
    if (this.#state === 'idle') this.#state = 'open';
  }

  /** Makes a key due; if a worker processes it, after {@link WorkQueue.done}. */
  add(key: string, priority: Priority = 'normal'): void {
    if (this.#state !== 'open') return;
    if (this.#processing.has(key)) {
      this.#markDirty(key, priority);
      return;
    }
    this.#makeReady(key, priority, this.#options.clock.now());
  }

  /** Makes a key due in `ms` milliseconds, or at the earlier time for which it was added before; at low priority unless it is retried. A worker that takes the key cancels this. */
  addAfter(key: string, ms: number): void {
    if (this.#state !== 'open') return;
    if (!(ms > 0)) {
      this.add(key);
      return;
    }
    this.#delayed.add(key, this.#options.clock.now() + ms);
    this.#arm();
  }

  /** Makes a key due after the next wait of its backoff, and at least `atLeastMs`. Returns the wait in milliseconds. */
  retry(key: string, atLeastMs = 0): number {
    const attempt = this.#failures.get(key) ?? 0;
    this.#failures.set(key, attempt + 1);
    const { backoff = BACKOFF, random } = this.#options;
    const ms = Math.max(atLeastMs, equalJitterMs(attempt, backoff, random));
    this.addAfter(key, ms);
    return ms;
  }

  /** Resets the backoff of a key after success. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often a key was retried since its last success. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Waits for the next key; undefined once `signal` aborts or the queue is shut down. The caller must call {@link WorkQueue.done} for each key. */
  get(signal: AbortSignal): Promise<string | undefined> {
    if (this.#state === 'closed' || signal.aborted) return Promise.resolve(undefined);
    const key = this.#take();
    if (key !== undefined) return Promise.resolve(key);
    return new Promise((resolve) => {
      const finish = (next: string | undefined): void => {
        this.#waiters.delete(finish);
        signal.removeEventListener('abort', abort);
        resolve(next);
      };
      const abort = (): void => finish(undefined);
      this.#waiters.add(finish);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** The worker has finished with a key. */
  done(key: string): void {
    if (this.#processing.get(key) === 'low') this.#lowProcessing -= 1;
    if (this.#processing.delete(key)) this.#inNamespace.release(namespaceOf(key));
    const priority = this.#dirty.get(key);
    this.#dirty.delete(key);
    if (this.#state === 'open') {
      if (priority !== undefined) this.#makeReady(key, priority, this.#options.clock.now());
      else this.#serve();
    }
  }

  /** Drops all keys, accepts no more, and ends every waiting {@link WorkQueue.get}. */
  shutDown(): void {
    this.#state = 'closed';
    this.#ready.clear();
    this.#delayed.clear();
    this.#dirty.clear();
    this.#failures.clear();
    this.#cancelTimer?.();
    this.#options.metrics.queueDepth(this.#options.name, 0);
    for (const finish of [...this.#waiters]) finish(undefined);
  }

  #markDirty(key: string, priority: Priority): void {
    const known = this.#dirty.get(key);
    if (known === undefined || priority === 'high' || known === 'low') this.#dirty.set(key, priority);
  }

  #makeReady(key: string, priority: Priority, since: number): void {
    this.#ready.add(key, priority, since);
    this.#serve();
    this.#options.metrics.queueDepth(this.#options.name, this.#ready.size);
  }

  /** Gives keys to waiting workers. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      const key = this.#take();
      if (key === undefined) break;
      waiter(key);
    }
  }

  /** Workers process as many keys of that namespace as they may. */
  readonly #isHeld = (namespace: string): boolean => {
    const { namespaceConcurrency = Number.POSITIVE_INFINITY } = this.#options;
    return this.#inNamespace.countOf(namespace) >= namespaceConcurrency;
  };

  #take(): string | undefined {
    const { clock, metrics, name, lowConcurrency = Number.POSITIVE_INFINITY } = this.#options;
    const taken = this.#ready.take(this.#lowProcessing < lowConcurrency, this.#isHeld);
    if (!taken) return undefined;
    const { key, since, priority } = taken;
    this.#processing.set(key, priority);
    this.#inNamespace.take(namespaceOf(key));
    if (priority === 'low') this.#lowProcessing += 1;
    this.#delayed.delete(key);
    metrics.queueWaited(name, Math.max(0, clock.now() - since) / 1000);
    metrics.queueDepth(name, this.#ready.size);
    return key;
  }

  /** Sets the one timer to the earliest delayed key. */
  #arm(): void {
    const next = this.#delayed.next;
    if (next === undefined || next >= this.#timerDue) return;
    this.#cancelTimer?.();
    this.#timerDue = next;
    const ms = Math.min(next - this.#options.clock.now(), LONGEST_TIMER_MS);
    this.#cancelTimer = this.#options.clock.after(ms, () => this.#fire());
  }

  #fire(): void {
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#cancelTimer = undefined;
    const now = this.#options.clock.now();
    for (let due = this.#delayed.takeDue(now); due; due = this.#delayed.takeDue(now)) {
      // Thousands of renewals may be due in the same second, long before they are urgent: changes come first.
      const priority = this.#failures.has(due.key) ? 'normal' : 'low';
      if (this.#processing.has(due.key)) this.#markDirty(due.key, priority);
      else this.#makeReady(due.key, priority, due.due);
    }
    this.#arm();
  }
}
