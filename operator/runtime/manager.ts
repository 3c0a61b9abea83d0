import { settlesWithin, whenAborted } from '../async/abort.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Controller } from './controller.ts';
import type { Informer } from './informer.ts';
import type { LeaderElection } from './leader-election.ts';

/** Something that runs between start and stop: a server, the probes, the event recorder. */
export interface Component {
  readonly name: string;
  /** Resolves when it serves; `signal` aborts if the operator stops before that. */
  start(signal: AbortSignal): Promise<void> | void;
  /** Accepts no new work, ends the work in progress within `deadlineMs`, and resolves. */
  stop(deadlineMs: number): Promise<void> | void;
}

/** Something else that has to be there before a replica is ready. Resolves too when it has waited long enough, or `signal` aborts. */
export type Gate = (signal: AbortSignal) => Promise<void>;

/** The part of {@link Informer} that the manager uses; its objects don't matter here. */
type ManagedCache = Pick<Informer<never>, 'name' | 'start' | 'whenSynced' | 'stopped'>;

export interface ManagerOptions {
  /** Started first, on every replica, and stopped last (probes, metrics, the event recorder). */
  readonly base?: readonly Component[];
  readonly caches: readonly ManagedCache[];
  /** Started on every replica while the caches load (until then they answer "unavailable"); drained after the lease is given up. */
  readonly servers?: readonly Component[];
  /** Waited for once the caches are synced, before this replica is ready. */
  readonly gates?: readonly Gate[];
  /** Started once this replica leads. */
  readonly controllers: readonly Controller[];
  /** Absent = this is the only replica. */
  readonly election?: LeaderElection;
  readonly clock: Clock;
  readonly log: Log;
  /** Most milliseconds for each part to end what it does; 10 s unless given. */
  readonly drainMs?: number;
}

/** Why the manager ended: its signal aborted, or it lost the lease and the process must restart. */
export type ManagerOutcome = 'stopped' | 'lost-lease';

const DRAIN_MS = 10_000;

/**
 * Starts and stops everything in order: base → caches → servers → synced → elected → controllers; and back: controllers
 * → lease → servers → caches → base. A lost lease aborts the controllers at once, and their writes are rejected
 * by the gate ({@link LeaderElection.isLeader}).
 */
export class Manager {
  readonly #options: ManagerOptions;
  readonly #drainMs: number;
  #ready = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#drainMs = options.drainMs ?? DRAIN_MS;
  }

  /** Servers listen, caches are synced and gates passed; for /readyz. */
  get ready(): boolean {
    return this.#ready;
  }

  /**
   * Runs until `signal` aborts (SIGTERM) or the lease is lost, and has stopped everything when it resolves.
   * @throws what a component's start throws, after stopping what was started; not where `signal` has aborted.
   */
  async run(signal: AbortSignal): Promise<ManagerOutcome> {
    const { base = [], caches } = this.#options;
    const cachesStop = new AbortController();
    const started: Component[] = [];
    try {
      await this.#startAll(base, started, signal);
      for (const cache of caches) cache.start(cachesStop.signal);
      return await this.#serve(signal);
    } catch (error) {
      if (signal.aborted) return 'stopped';
      throw error;
    } finally {
      this.#ready = false;
      cachesStop.abort();
      await Promise.all(caches.map((cache) => cache.stopped()));
      await this.#stopAll(started);
    }
  }

  async #serve(signal: AbortSignal): Promise<ManagerOutcome> {
    const { caches, servers = [], gates = [], log } = this.#options;
    const started: Component[] = [];
    try {
      await this.#startAll(servers, started, signal);
      await Promise.all(caches.map((cache) => cache.whenSynced(signal)));
      log.info('caches are synced', { caches: caches.map(({ name }) => name) });
      await Promise.all(gates.map((gate) => gate(signal)));
      signal.throwIfAborted();
      this.#ready = true;
      return await this.#lead(signal);
    } finally {
      this.#ready = false;
      await this.#stopAll(started);
    }
  }

  async #lead(signal: AbortSignal): Promise<ManagerOutcome> {
    const { election } = this.#options;
    if (!election) {
      await this.#control(signal, new Promise(() => undefined));
      return 'stopped';
    }
    if (!(await election.acquire(signal))) return 'stopped';
    // Held while the controllers drain, and released after.
    const holding = new AbortController();
    const held = election.hold(holding.signal);
    const lost = new Promise<void>((resolve) => {
      void held.then((how) => how === 'lost' && resolve());
    });
    try {
      return await this.#control(signal, lost);
    } finally {
      holding.abort();
      await held;
      await election.release();
    }
  }

  /** Runs the controllers until `signal` aborts, which lets them end their keys, or until `lost`, which cuts them short. */
  async #control(signal: AbortSignal, lost: Promise<void>): Promise<ManagerOutcome> {
    const { controllers, log } = this.#options;
    if (signal.aborted) return 'stopped';
    const cut = new AbortController();
    let outcome: ManagerOutcome = 'stopped';
    const cutShort = lost.then(() => {
      outcome = 'lost-lease';
      cut.abort(new Error('the lease is lost'));
    });
    for (const controller of controllers) controller.start(cut.signal);
    log.info('controllers started', { controllers: controllers.map(({ name }) => name) });
    await Promise.race([cutShort, whenAborted(signal)]);
    await Promise.all(controllers.map((controller) => controller.stop(this.#drainMs)));
    return outcome;
  }

  async #startAll(components: readonly Component[], started: Component[], signal: AbortSignal) {
    for (const component of components) {
      signal.throwIfAborted();
      started.push(component);
      await component.start(signal);
    }
  }

  async #stopAll(started: readonly Component[]): Promise<void> {
    for (const component of started.toReversed()) {
      const stopping = (async () => component.stop(this.#drainMs))();
      stopping.catch((error: unknown) =>
        this.#options.log.error('a component failed to stop', { component: component.name, error }),
      );
      const ended = await settlesWithin(this.#options.clock, this.#drainMs, stopping);
      if (!ended) this.#options.log.warn('a component is still stopping', { component: component.name });
    }
  }
}
