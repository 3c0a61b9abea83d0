import { type BackoffBounds, equalJitterMs } from '../async/backoff.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import { DelayedKeys } from './delayed-keys.ts';
import { type Priority, ReadyKeys } from './ready-keys.ts';

export interface WorkQueueOptions {
  /** The label `kind` of its metrics. */
  readonly name: string;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly metrics: Pick<Metrics, 'queueDepth' | 'queueWaited'>;
  /** Of {@link WorkQueue.retry}; 50 ms to 5 min unless given. */
  readonly backoff?: BackoffBounds;
  /** Most keys of low priority that workers have at a time; as many as there are workers unless given. */
  readonly lowAtATime?: number;
}

const BACKOFF: BackoffBounds = { baseMs: 50, capMs: 300_000 };

/** The timer looks again at least so often: a clock that was set forward makes keys due that a timer does not know of. */
const LONGEST_SLEEP_MS = 3_600_000;

/**
 * Keys to work on, after client-go's workqueue: a key waits once however often it is added; one that is added while
 * a worker has it comes back when the worker is done, so no two workers ever have the same key. Before its start it
 * takes none: where nobody works, it would only grow.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #ready = new ReadyKeys();
  readonly #delayed = new DelayedKeys();
  /** What workers have, and how urgent it was. */
  readonly #processing = new Map<string, Priority>();
  #lowUnderWay = 0;
  /** Added while processing: when, and how urgent. */
  readonly #dirty = new Map<string, Priority>();
  readonly #failures = new Map<string, number>();
  readonly #waiters = new Set<(key: string | undefined) => void>();
  #cancelTimer: (() => void) | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #state: 'idle' | 'open' | 'closed' = 'idle';

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that are due and wait for a worker. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that wait for their time. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** Keys that workers have now. */
  get processing(): number {
    return this.#processing.size;
  }

  /** Takes keys from now on. */
  start(): void {
    if (this.#state === 'idle') this.#state = 'open';
  }

  /** Makes the key due. While a worker has it, it comes back after {@link WorkQueue.done}. */
  add(key: string, priority: Priority = 'normal'): void {
    if (this.#state !== 'open') return;
    if (this.#processing.has(key)) {
      this.#markDirty(key, priority);
      return;
    }
    this.#makeReady(key, priority, this.#options.clock.now());
  }

  /** Makes the key due in `ms`, at low priority unless it is retried, or earlier where it is due earlier already. The timer ends when a worker takes the key: what it needs later, it asks for anew. */
  addAfter(key: string, ms: number): void {
    if (this.#state !== 'open') return;
    if (!(ms > 0)) {
      this.add(key);
      return;
    }
    this.#delayed.add(key, this.#options.clock.now() + ms);
    this.#arm();
  }

  /** Makes the key due after its next backoff. Returns that wait in milliseconds. */
  retry(key: string, atLeastMs = 0): number {
    const attempt = this.#failures.get(key) ?? 0;
    this.#failures.set(key, attempt + 1);
    const { backoff = BACKOFF, random } = this.#options;
    const ms = Math.max(atLeastMs, equalJitterMs(attempt, backoff, random));
    this.addAfter(key, ms);
    return ms;
  }

  /** The key is well: its next {@link WorkQueue.retry} starts from the shortest wait. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often in a row the key was retried. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, when there is one; undefined once `signal` aborts or the queue is shut down. Each key must be given back with {@link WorkQueue.done}. */
  get(signal: AbortSignal): Promise<string | undefined> {
    if (this.#state === 'closed' || signal.aborted) return Promise.resolve(undefined);
    const key = this.#take();
    if (key !== undefined) return Promise.resolve(key);
    return new Promise((resolve) => {
      const answer = (next: string | undefined): void => {
        this.#waiters.delete(answer);
        signal.removeEventListener('abort', abort);
        resolve(next);
      };
      const abort = (): void => answer(undefined);
      this.#waiters.add(answer);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** The worker no longer has the key. */
  done(key: string): void {
    if (this.#processing.get(key) === 'low') this.#lowUnderWay -= 1;
    this.#processing.delete(key);
    const priority = this.#dirty.get(key);
    this.#dirty.delete(key);
    if (this.#state === 'open') {
      if (priority !== undefined) this.#makeReady(key, priority, this.#options.clock.now());
      else this.#serve();
    }
  }

  /** Takes nothing any more, forgets what waits, and sends the waiting workers home. */
  shutDown(): void {
    this.#state = 'closed';
    this.#ready.clear();
    this.#delayed.clear();
    this.#dirty.clear();
    this.#failures.clear();
    this.#cancelTimer?.();
    this.#options.metrics.queueDepth(this.#options.name, 0);
    for (const answer of [...this.#waiters]) answer(undefined);
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

  /** Gives those that wait what they may have. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      const key = this.#take();
      if (key === undefined) break;
      waiter(key);
    }
  }

  #take(): string | undefined {
    const { clock, metrics, name, lowAtATime = Number.POSITIVE_INFINITY } = this.#options;
    const taken = this.#ready.take(this.#lowUnderWay < lowAtATime);
    if (!taken) return undefined;
    const { key, since, priority } = taken;
    this.#processing.set(key, priority);
    if (priority === 'low') this.#lowUnderWay += 1;
    this.#delayed.delete(key);
    metrics.queueWaited(name, Math.max(0, clock.now() - since) / 1000);
    metrics.queueDepth(name, this.#ready.size);
    return key;
  }

  /** One timer, for the earliest. */
  #arm(): void {
    const next = this.#delayed.next;
    if (next === undefined || next >= this.#timerDue) return;
    this.#cancelTimer?.();
    this.#timerDue = next;
    const ms = Math.min(next - this.#options.clock.now(), LONGEST_SLEEP_MS);
    this.#cancelTimer = this.#options.clock.after(ms, () => this.#fire());
  }

  #fire(): void {
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#cancelTimer = undefined;
    const now = this.#options.clock.now();
    for (let due = this.#delayed.takeDue(now); due; due = this.#delayed.takeDue(now)) {
      // Thousands may be due in the same second, and long before it is too late for them: what has changed meanwhile goes first.
      const priority = this.#failures.has(due.key) ? 'normal' : 'low';
      if (this.#processing.has(due.key)) this.#markDirty(due.key, priority);
      else this.#makeReady(due.key, priority, due.due);
    }
    this.#arm();
  }
}
