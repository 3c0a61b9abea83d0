import type { KubeObject } from '../api/meta.ts';

/** One change of a cache. `old` is absent for an object that was not known. An object deleted and made anew under its name between two looks is a deletion and an addition. */
export type CacheChange<T> =
  | { readonly type: 'set'; readonly key: string; readonly object: T; readonly old: T | undefined }
  | { readonly type: 'delete'; readonly key: string; readonly old: T };

/** The objects of one type as the last watch event left them: frozen, indexed, keyed by `namespace/name` (or `name` where cluster-scoped). */
export interface Cache<T> {
  get(key: string): T | undefined;
  keys(): IterableIterator<string>;
  values(): IterableIterator<T>;
  readonly size: number;
  /** Objects for which the index function named `index` gave `value`; a fresh iterator each time, no copy. */
  byIndex(index: string, value: string): IterableIterator<T>;
  /** How many objects {@link Cache.byIndex} would give. */
  countByIndex(index: string, value: string): number;
  /** True once the first whole list is in. */
  readonly synced: boolean;
  /** Handlers run at once and in order; one that throws is logged and does not stop the others. Returns the unsubscribe function. */
  onChange(handler: (change: CacheChange<T>) => void): () => void;
}

/** A cache that also takes what a write of our own returned, so that the next plan does not start from before it. */
export interface WritableCache<T> extends Cache<T> {
  /** Puts a write's answer in unless something newer is known. */
  putIfNewer(object: T): void;
  /** Forgets an object that a write of ours deleted (by uid). */
  forget(key: string, uid: string): void;
}

/** Names for the values under which an object is found. */
export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

/** Only objects that carry metadata can be cached. */
export type Cacheable = Pick<KubeObject, 'metadata'>;
