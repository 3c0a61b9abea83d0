import { settlesWithin } from '../async/deadline.ts';
import type { Clock } from '../ports/clock.ts';
import { ApiError, isConflict } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics, ReconcileOutcome } from '../ports/metrics.ts';
import { BulkQueue } from './bulk-queue.ts';
import { WorkQueue } from './work-queue.ts';

/** What a reconcile that did not throw wants: nothing more, or to look again in a while. */
export type ReconcileResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'requeue'; readonly afterMs: number };

/** Nothing to do until something changes. */
export const DONE: ReconcileResult = { kind: 'done' };

export interface ControllerOptions {
  /** The label `kind` of its metrics, and the field `controller` of its log lines. */
  readonly name: string;
  /** How many keys are worked on at a time. */
  readonly concurrency: number;
  /** How many of those may be of low priority: what waits less patiently finds the API server less busy. All of them unless given. */
  readonly lowAtATime?: number;
  /**
   * Brings one object to what its spec asks for; a key says nothing of what happened. A conflict that it throws is
   * planned again soon, anything else is retried with the key's backoff.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
  /** Every key that there is to work on, at the start: what was added before, while another replica led, was not kept. */
  readonly seed: () => Iterable<string>;
  readonly clock: Clock;
  /** Runs it when others have had their turn of the event loop. */
  readonly defer: (work: () => void) => void;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
  /** After which a reconcile's signal aborts, so that a hung call can't keep a key for ever; 2 min unless given. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 120_000;
/** Passes that follow one another before others get their turn: one that finds nothing to do waits for nothing by itself. */
const PASSES_A_TURN = 32;

/** A work queue and the workers that empty it. Keys that are added before it is started are dropped: its seed knows them. */
export class Controller {
  readonly name: string;
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions;
  readonly #log: Log;
  /** Of the passes under way. Not one signal made from several: Node forgets what depends on a lasting signal by a finalizer, after a hundred thousand passes all at once. */
  readonly #underWay = new Set<AbortController>();
  /** Why no pass may go on; absent while they may. */
  #cutShort: { readonly reason: unknown } | undefined;
  readonly #seeding: BulkQueue;
  #workers: Promise<unknown> = Promise.resolve();
  #passes = 0;
  #othersTurn: Promise<void> | undefined;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#log = options.log.child({ controller: options.name });
    this.queue = new WorkQueue(options);
    this.#seeding = new BulkQueue(this.queue, options.clock);
  }

  /** Starts the workers, and seeds the queue at low priority. `signal` aborts what they do at once (a lost lease); {@link Controller.stop} lets them end their keys. */
  start(signal: AbortSignal): void {
    this.queue.start();
    const workers = Array.from({ length: this.#options.concurrency }, () => this.#work(signal));
    this.#workers = Promise.all(workers);
    const end = (): void => {
      this.#close();
      this.#cutAll(signal.reason);
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    else this.#seeding.add(this.#options.seed());
  }

  /** Takes no new keys, and waits for the workers to end theirs, at most `deadlineMs`; then their signals abort. True where all ended in time. Never throws. */
  async stop(deadlineMs = 10_000): Promise<boolean> {
    this.#close();
    const ended = await settlesWithin(this.#options.clock, deadlineMs, this.#workers);
    this.#cutAll(new Error('the controller is stopped'));
    if (!ended) this.#log.warn('reconciles were cut short at stop', { keys: this.queue.processing });
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
      this.#countPass();
      await this.#othersTurn;
    }
  }

  /** The workers share their turns: all of them run in the same one where nothing makes them wait. */
  #countPass(): void {
    this.#passes += 1;
    if (this.#passes % PASSES_A_TURN !== 0) return;
    this.#othersTurn = new Promise((resolve) => {
      this.#options.defer(() => {
        this.#othersTurn = undefined;
        resolve();
      });
    });
  }

  async #reconcileOnce(key: string): Promise<void> {
    const { clock, reconcile, metrics, timeoutMs = TIMEOUT_MS } = this.#options;
    const pass = new AbortController();
    if (this.#cutShort) pass.abort(this.#cutShort.reason);
    this.#underWay.add(pass);
    const cancel = clock.after(timeoutMs, () => pass.abort(new Error(`no result after ${timeoutMs} ms`)));
    const startedAt = clock.now();
    try {
      const result = await reconcile(key, pass.signal);
      metrics.reconciled(this.name, this.#settle(key, result), this.#since(startedAt));
    } catch (error) {
      if (this.#cutShort) return;
      metrics.reconciled(this.name, this.#fail(key, error), this.#since(startedAt));
    } finally {
      this.#underWay.delete(pass);
      cancel();
    }
  }

  /** Ends the passes under way, and every later one at its start. */
  #cutAll(reason: unknown): void {
    this.#cutShort ??= { reason };
    for (const pass of this.#underWay) pass.abort(reason);
  }

  #since(startedAt: number): number {
    return Math.max(0, this.#options.clock.now() - startedAt) / 1000;
  }

  /** The one place where a verdict becomes a queue's matter. */
  #settle(key: string, result: ReconcileResult): ReconcileOutcome {
    this.queue.forget(key);
    if (result.kind === 'done') return 'done';
    this.queue.addAfter(key, result.afterMs);
    return 'requeued';
  }

  /** The one place where an error becomes a queue's matter, and a line in the log. */
  #fail(key: string, error: unknown): ReconcileOutcome {
    const retryAfterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const requeueAfterMs = Math.round(this.queue.retry(key, retryAfterMs));
    if (isConflict(error)) {
      this.#log.debug('reconcile met a newer object', { key, requeueAfterMs });
      return 'conflict';
    }
    this.#log.error('reconcile failed', { key, requeueAfterMs, failures: this.queue.failures(key), error });
    return 'error';
  }
}
