import { settlesWithin } from '../async/abort.ts';
import type { Clock } from '../ports/clock.ts';
import { ApiError, isConflict } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics, ReconcileOutcome } from '../ports/metrics.ts';
import { BulkQueue } from './bulk-queue.ts';
import { WorkQueue } from './work-queue.ts';

/** What follows a reconcile that did not throw: nothing, or another one after some time. */
export type ReconcileResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'requeue'; readonly afterMs: number };

/** Nothing to do until an object changes. */
export const DONE: ReconcileResult = { kind: 'done' };

export interface ControllerOptions {
  /** The label `kind` of its metrics, and the field `controller` of its log lines. */
  readonly name: string;
  /** The number of keys that are reconciled at a time. */
  readonly concurrency: number;
  /** How many of those may be of low priority, so that urgent ones find the API server less busy; default all. */
  readonly lowConcurrency?: number;
  /** How many of those may be of one namespace, so that one whose reconciles are slow leaves workers to the others; default all. */
  readonly namespaceConcurrency?: number;
  /**
   * Brings one object to the state that its spec asks for; the key does not say what has changed. Whatever it throws is retried with
   * backoff: a conflict is logged at level debug, since it is planned again, any other error as an error.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
  /** All existing keys, to be queued at the start: keys that were added while another replica led were dropped. */
  readonly seed: () => Iterable<string>;
  readonly clock: Clock;
  /** Runs `work` after pending I/O events, as `setImmediate` does. */
  readonly defer: (work: () => void) => void;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The time after which the signal of a reconcile aborts, so that a request without response can't block a key forever; default 2 min. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 120_000;
/** The number of reconciles after which pending I/O is handled: those that find nothing to do never yield to the event loop. */
const RECONCILES_PER_YIELD = 32;

/** A work queue and its workers. Keys that are added before the start are dropped; {@link ControllerOptions.seed} has them. */
export class Controller {
  readonly name: string;
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions;
  readonly #log: Log;
  /** One per running reconcile. `AbortSignal.any` is not used: Node releases the dependents of a long-lived signal late, a hundred thousand at once. */
  readonly #running = new Set<AbortController>();
  /** Why all reconciles are aborted; undefined while they may run. */
  #aborted: { readonly reason: unknown } | undefined;
  readonly #seeding: BulkQueue;
  #workers: Promise<unknown> = Promise.resolve();
  #reconciles = 0;
  #pendingYield: Promise<void> | undefined;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#log = options.log.child({ controller: options.name });
    this.queue = new WorkQueue(options);
    this.#seeding = new BulkQueue(this.queue, options.clock);
  }

  /** Starts the workers, and seeds the queue at low priority. `signal` aborts running reconciles at once (a lost lease); {@link Controller.stop} lets them finish. */
  start(signal: AbortSignal): void {
    this.queue.start();
    const workers = Array.from({ length: this.#options.concurrency }, () => this.#work(signal));
    this.#workers = Promise.all(workers);
    const end = (): void => {
      this.#close();
      this.#abortAll(signal.reason);
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    else this.#seeding.add(this.#options.seed());
  }

  /** Drops all keys and waits for running reconciles, at most `deadlineMs`; then aborts them. Returns whether all finished in time. Never throws. */
  async stop(deadlineMs = 10_000): Promise<boolean> {
    this.#close();
    const ended = await settlesWithin(this.#options.clock, deadlineMs, this.#workers);
    this.#abortAll(new Error('the controller is stopped'));
    if (!ended) this.#log.warn('reconciles aborted at stop', { keys: this.queue.processing });
    return ended;
  }

  #close(): void {
    this.#seeding.stop();
    this.queue.shutDown();
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.queue.get(signal);
      if (key === undefined) return;
      try {
        await this.#reconcileOnce(key);
      } finally {
        this.queue.done(key);
      }
      this.#countReconcile();
      await this.#pendingYield;
    }
  }

  /** All workers wait for the same yield, since they run in the same iteration of the event loop if no reconcile waits for I/O. */
  #countReconcile(): void {
    this.#reconciles += 1;
    if (this.#reconciles % RECONCILES_PER_YIELD !== 0) return;
    this.#pendingYield = new Promise((resolve) => {
      this.#options.defer(() => {
        this.#pendingYield = undefined;
        resolve();
      });
    });
  }

  async #reconcileOnce(key: string): Promise<void> {
    const { clock, reconcile, metrics, timeoutMs = TIMEOUT_MS } = this.#options;
    const abort = new AbortController();
    if (this.#aborted) abort.abort(this.#aborted.reason);
    this.#running.add(abort);
    const cancel = clock.after(timeoutMs, () => abort.abort(new Error(`no result after ${timeoutMs} ms`)));
    const startedAt = clock.now();
    try {
      const result = await reconcile(key, abort.signal);
      metrics.reconciled(this.name, this.#settle(key, result), this.#since(startedAt));
    } catch (error) {
      if (this.#aborted) return;
      metrics.reconciled(this.name, this.#fail(key, error), this.#since(startedAt));
    } finally {
      this.#running.delete(abort);
      cancel();
    }
  }

  /** Aborts running reconciles, and every later one at its start. */
  #abortAll(reason: unknown): void {
    this.#aborted ??= { reason };
    for (const abort of this.#running) abort.abort(reason);
  }

  #since(startedAt: number): number {
    return Math.max(0, this.#options.clock.now() - startedAt) / 1000;
  }

  /** The one place where a result is translated for the queue and the metrics. */
  #settle(key: string, result: ReconcileResult): ReconcileOutcome {
    this.queue.forget(key);
    if (result.kind === 'done') return 'done';
    this.queue.addAfter(key, result.afterMs);
    return 'requeued';
  }

  /** The one place where an error is translated for the queue, the metrics and the log. */
  #fail(key: string, error: unknown): ReconcileOutcome {
    const retryAfterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const requeueAfterMs = Math.round(this.queue.retry(key, retryAfterMs));
    if (isConflict(error)) {
      this.#log.debug('reconcile conflict: the object has changed', { key, requeueAfterMs });
      return 'conflict';
    }
    this.#log.error('reconcile failed', { key, requeueAfterMs, failures: this.queue.failures(key), error });
    return 'error';
  }
}
