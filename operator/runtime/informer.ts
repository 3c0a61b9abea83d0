import { unlessAborted } from '../async/abort.ts';
import type { Cacheable, Indexers, WritableCache } from '../ports/cache.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ListWatch } from '../ports/watch.ts';
import { cacheKeyOf, ObjectStore } from './object-store.ts';
import { Reflector } from './reflector.ts';

/** What a reflector needs besides its source and its store. */
export interface ReflectorSurroundings {
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'watchRestarted'>;
}

/** One watched scope: a namespace, or all of them. */
export interface InformerSource<T> {
  /** Absent = every namespace (or a type that has none). */
  readonly namespace?: string;
  readonly listWatch: ListWatch<T>;
}

export interface InformerOptions<T> extends ReflectorSurroundings {
  /** The plural, for logs and probes. */
  readonly name: string;
  readonly sources: readonly InformerSource<T>[];
  readonly indexers?: Indexers<T>;
}

/** How far a cache can be trusted now; times are epoch milliseconds. */
export interface InformerHealth {
  readonly synced: boolean;
  /** Every reflector runs. */
  readonly alive: boolean;
  /** Of the reflector that is furthest behind. */
  readonly lastContact: number;
  readonly lastProgress: number;
  /** Connections are pinged, so that a `lastContact` that is not recent means that the API server does not answer. */
  readonly isPinged: boolean;
}

/** The API server sends a bookmark each minute if its cache has advanced; progress is requested twice in that time. */
const ADVANCE_WATCH_CACHE_AFTER_MS = 30_000;

/** One store, filled by a reflector for each watched scope. */
export class Informer<T extends Cacheable> {
  readonly name: string;
  readonly #store: ObjectStore<T>;
  readonly #reflectors: readonly Reflector<T>[];
  /** The reflectors by the scope that they watch. */
  readonly #byScope: readonly {
    readonly inScope: (key: string) => boolean;
    readonly reflector: Reflector<T>;
  }[];
  readonly #synced = Promise.withResolvers<void>();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: InformerOptions<T>) {
    const { name, sources, indexers, log } = options;
    this.name = name;
    const store = new ObjectStore<T>({ log, ...(indexers && { indexers }) });
    this.#store = store;
    this.#byScope = sources.map(({ namespace, listWatch }) => {
      const inScope = scopeOf(namespace);
      const advanceWatchCacheAfterMs = ADVANCE_WATCH_CACHE_AFTER_MS;
      return {
        inScope,
        reflector: new Reflector({ ...options, source: listWatch, store, inScope, advanceWatchCacheAfterMs }),
      };
    });
    this.#reflectors = this.#byScope.map(({ reflector }) => reflector);
    let missing = sources.length;
    const countDown = (): void => {
      if (missing > 0) return;
      store.markSynced();
      this.#synced.resolve();
    };
    for (const reflector of this.#reflectors) {
      reflector.whenSynced(() => {
        missing--;
        countDown();
      });
    }
    countDown();
  }

  /** What is known now. Handlers set on it before {@link Informer.start} see the first list too. */
  get cache(): WritableCache<T> {
    return this.#store;
  }

  get health(): InformerHealth {
    const [first, ...others] = this.#reflectors;
    let [alive, lastContact, lastProgress] = [
      first?.alive ?? true,
      first?.lastContact ?? 0,
      first?.lastProgress ?? 0,
    ];
    for (const reflector of others) {
      alive &&= reflector.alive;
      lastContact = Math.min(lastContact, reflector.lastContact);
      lastProgress = Math.min(lastProgress, reflector.lastProgress);
    }
    const isPinged = first?.isPinged ?? false;
    return { synced: this.#store.synced, alive, lastContact, lastProgress, isPinged };
  }

  /**
   * Since when every deletion has been seen, in epoch milliseconds: the last whole list of any scope. Undefined before the first of
   * every scope.
   */
  get completeSince(): number | undefined {
    let latest = 0;
    for (const { lastListed } of this.#reflectors) {
      if (lastListed === undefined) return undefined;
      latest = Math.max(latest, lastListed);
    }
    return latest;
  }

  /** Calls back for every deletion since then, also of an object that was never in the cache. Returns the function that ends it. */
  onDeleted(handler: (object: T) => void): () => void {
    return this.#store.onDeleted(handler);
  }

  /** Resolves once the watch of the object's scope has brought every event up to its resourceVersion. Rejects with the signal's reason when it aborts. */
  async reached({ metadata }: Cacheable, signal: AbortSignal): Promise<void> {
    const key = cacheKeyOf({ metadata });
    const scope = this.#byScope.find(({ inScope }) => inScope(key));
    await scope?.reflector.reached(metadata.resourceVersion, signal);
  }

  /** Starts to watch until `signal` aborts. Resolves at once; see {@link Informer.whenSynced}. */
  start(signal: AbortSignal): void {
    this.#running = Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)));
  }

  /** Resolves when the first whole list of every scope is in. Rejects with the signal's reason when it aborts. */
  whenSynced(signal: AbortSignal): Promise<void> {
    return unlessAborted(this.#synced.promise, signal);
  }

  /** Resolves when every reflector has ended; the signal of {@link Informer.start} ends them. */
  async stopped(): Promise<void> {
    await this.#running;
  }
}

const scopeOf =
  (namespace: string | undefined) =>
  (key: string): boolean =>
    namespace === undefined || key.startsWith(`${namespace}/`);
