import { cacheKeyOf } from '../api/meta.ts';
import { unlessAborted } from '../async/abort.ts';
import type { Cacheable, Indexers, WritableCache } from '../ports/cache.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ListWatch } from '../ports/watch.ts';
import type { ScopeAccess } from './namespace-access.ts';
import { ObjectStore } from './object-store.ts';
import { Reflector } from './reflector.ts';
import type { Rewinds } from './rewinds.ts';

/** What a reflector needs besides its source and its store. */
export interface ReflectorSurroundings {
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'watchRestarted'>;
  /** Shared by all reflectors of the process. */
  readonly rewinds: Rewinds;
}

/** One watched scope: a namespace, or all of them. */
export interface InformerSource<T> {
  /** Absent = every namespace (or a type that has none). */
  readonly namespace?: string;
  readonly listWatch: ListWatch<T>;
  /** Of a scope without which the others are served; absent: it is required. */
  readonly access?: ScopeAccess | undefined;
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
  /** When the API server last answered it, be it with an error. */
  readonly lastAnswered: number;
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
  /** By namespace; '' for the reflector of all of them. */
  readonly #byNamespace: ReadonlyMap<string, Reflector<T>>;
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
    this.#byScope = sources.map(({ namespace, listWatch, access }) => {
      const inScope = scopeOf(namespace);
      const advanceWatchCacheAfterMs = ADVANCE_WATCH_CACHE_AFTER_MS;
      return {
        inScope,
        reflector: new Reflector({
          ...options,
          source: listWatch,
          store,
          inScope,
          advanceWatchCacheAfterMs,
          access,
          onSettled: () => this.#settle(),
        }),
      };
    });
    this.#reflectors = this.#byScope.map(({ reflector }) => reflector);
    this.#byNamespace = new Map(
      this.#byScope.map(({ reflector }, at) => [sources[at]?.namespace ?? '', reflector]),
    );
  }

  /** Synced: every scope is listed or denied, and one is listed at least. */
  #settle(): void {
    const areSettled = this.#reflectors.every(({ synced, isDenied }) => synced || isDenied);
    if (!areSettled || !this.#reflectors.some(({ synced }) => synced)) return;
    this.#store.markSynced();
    this.#synced.resolve();
  }

  /** What is known now. Handlers set on it before {@link Informer.start} see the first list too. */
  get cache(): WritableCache<T> {
    return this.#store;
  }

  /** Of what is served: all scopes but those that are denied. */
  get health(): InformerHealth {
    return this.#healthOf(({ isDenied }) => !isDenied);
  }

  /** Of all scopes but those of namespaces that are gone, in which there is nothing. One that is denied is not synced. */
  get healthOfAll(): InformerHealth {
    return this.#healthOf(({ isGone }) => !isGone);
  }

  /** The API server denies the scope that has the namespace. */
  isDeniedIn(namespace: string): boolean {
    return this.#reflectorOf(namespace)?.isDenied === true;
  }

  #reflectorOf(namespace: string): Reflector<T> | undefined {
    return this.#byNamespace.get(namespace) ?? this.#byNamespace.get('');
  }

  /** Of the scope that has the namespace. */
  healthIn(namespace: string): InformerHealth {
    const reflector = this.#reflectorOf(namespace);
    return this.#healthOf((other) => other === reflector);
  }

  #healthOf(isCounted: (reflector: Reflector<T>) => boolean): InformerHealth {
    const { synced } = this.#store;
    let health: InformerHealth | undefined;
    for (const reflector of this.#reflectors) {
      if (!isCounted(reflector)) continue;
      health = worseOf(health, { ...stateOf(reflector), synced: synced && isListed(reflector) });
    }
    return health ?? NOTHING;
  }

  /**
   * Since when every deletion in the namespace has been seen, in epoch milliseconds: the last whole list of its scope, or of any scope
   * if none is given. Undefined before the first of these.
   */
  completeSince(namespace?: string): number | undefined {
    if (namespace !== undefined) return this.#reflectorOf(namespace)?.lastListed;
    let latest = 0;
    for (const { lastListed, isDenied } of this.#reflectors) {
      if (isDenied) continue;
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

  /** Resolves when the first whole list of every scope that is not denied is in, of one at least. Rejects with the signal's reason when it aborts. */
  whenSynced(signal: AbortSignal): Promise<void> {
    return unlessAborted(this.#synced.promise, signal);
  }

  /** Resolves when every reflector has ended; the signal of {@link Informer.start} ends them. */
  async stopped(): Promise<void> {
    await this.#running;
  }
}

/** Of no scope at all. */
const NOTHING: InformerHealth = {
  synced: false,
  alive: true,
  lastContact: 0,
  lastProgress: 0,
  lastAnswered: 0,
  isPinged: false,
};

type ReflectorState = Pick<Reflector<never>, 'synced' | 'isDenied' | keyof Omit<InformerHealth, 'synced'>>;

const isListed = ({ synced, isDenied }: ReflectorState): boolean => synced && !isDenied;

const stateOf = ({ alive, lastContact, lastProgress, lastAnswered, isPinged }: ReflectorState) => ({
  alive,
  lastContact,
  lastProgress,
  lastAnswered,
  isPinged,
});

const worseOf = (a: InformerHealth | undefined, b: InformerHealth): InformerHealth =>
  a === undefined
    ? b
    : {
        synced: a.synced && b.synced,
        alive: a.alive && b.alive,
        lastContact: Math.min(a.lastContact, b.lastContact),
        lastProgress: Math.min(a.lastProgress, b.lastProgress),
        lastAnswered: Math.min(a.lastAnswered, b.lastAnswered),
        isPinged: a.isPinged || b.isPinged,
      };

const scopeOf =
  (namespace: string | undefined) =>
  (key: string): boolean =>
    namespace === undefined || key.startsWith(`${namespace}/`);
