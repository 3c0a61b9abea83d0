import type { Cacheable } from './cache.ts';

/** What the watch behind a cache has shown. */
export interface WatchCoverage<T extends Cacheable> {
  /** Since when it has shown every deletion in the namespace, or in all, in epoch milliseconds; undefined before the first whole list. */
  completeSince(namespace?: string): number | undefined;
  /** Calls back for every deletion, also of an object that was never in the cache. Returns the function that ends it. */
  onDeleted(handler: (object: T) => void): () => void;
  /** Resolves once it has brought every event up to the object's resourceVersion. Rejects with the signal's reason when it aborts. */
  reached(object: Cacheable, signal: AbortSignal): Promise<void>;
}
