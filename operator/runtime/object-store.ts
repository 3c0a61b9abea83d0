import { cacheKeyOf, compareResourceVersions, isOlder } from '../api/meta.ts';
import { BoundedMap } from '../async/bounded-map.ts';
import { Emitter } from '../async/emitter.ts';
import type { Cacheable, CacheChange, Indexers, WritableCache } from '../ports/cache.ts';
import type { Log } from '../ports/log.ts';
import { ListPass } from './list-pass.ts';

export interface ObjectStoreOptions<T> {
  readonly log: Log;
  readonly indexers?: Indexers<T>;
}

/** Deletions of our own whose DELETED event has not come yet; the oldest go beyond this. */
const MAX_TOMBSTONES = 10_000;

/** Objects of which it is remembered when they went; the oldest go beyond this. An answer is late by seconds. */
const MAX_GONE = 10_000;

/** Freezes a JSON value recursively, in place, and returns it. A frozen value is taken to be frozen throughout. */
const freezeDeep = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key in value) {
    const inner = value[key];
    if (typeof inner === 'object' && inner !== null) freezeDeep(inner);
  }
  return value;
};

/** No key, a single one (a Set for each would take more memory than the objects), or several. */
type Keys = string | ReadonlySet<string> | undefined;

/** The keys of the objects for each value of one index. */
type Values = Map<string, string | Set<string>>;

/** The keys of the objects for each value of each index function. */
class KeyIndex<T> {
  readonly #indexers: Indexers<T>;
  readonly #byIndex = new Map<string, Values>();

  constructor(indexers: Indexers<T>) {
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#byIndex.set(name, new Map());
  }

  /** Moves `key` from the values of `old` to those of `object`; either may be absent. */
  move(key: string, old: T | undefined, object: T | undefined): void {
    for (const [name, values] of this.#byIndex) {
      const indexer = this.#indexers[name];
      if (!indexer) continue;
      const before = old === undefined ? [] : indexer(old);
      const after = object === undefined ? [] : indexer(object);
      for (const value of before) if (!after.includes(value)) removeFrom(values, value, key);
      for (const value of after) addTo(values, value, key);
    }
  }

  /** @throws RangeError for an unknown index: a misspelled name would never find anything */
  keys(index: string, value: string): Keys {
    const values = this.#byIndex.get(index);
    if (!values) throw new RangeError(`no index named ${JSON.stringify(index)}`);
    return values.get(value);
  }
}

const addTo = (values: Values, value: string, key: string): void => {
  const keys = values.get(value);
  if (keys === undefined) values.set(value, key);
  else if (typeof keys !== 'string') keys.add(key);
  else if (keys !== key) values.set(value, new Set([keys, key]));
};

const removeFrom = (values: Values, value: string, key: string): void => {
  const keys = values.get(value);
  if (keys === key) values.delete(value);
  if (keys === undefined || typeof keys === 'string') return;
  keys.delete(key);
  if (keys.size === 0) values.delete(value);
};

/**
 * The objects of one type, from lists, watch events and the operator's writes. Whatever the order of these, an
 * older one never replaces a newer one: resourceVersions are compared as numbers (KEP-5504); where they are none,
 * the last one wins, and the watch corrects what that gets wrong. It takes objects over and freezes them.
 */
export class ObjectStore<T extends Cacheable> implements WritableCache<T> {
  readonly #objects = new Map<string, T>();
  readonly #index: KeyIndex<T>;
  readonly #changes: Emitter<CacheChange<T>>;
  readonly #deletions: Emitter<T>;
  /** UIDs of what we deleted ourselves, with their keys: a late event from before that must not bring them back. */
  readonly #tombstones = new BoundedMap<string, string>(MAX_TOMBSTONES);
  /**
   * By UID, the resourceVersion at which the watch or a list said that it was gone: the answer of an earlier write may
   * come later, over another connection. One that only left the selection comes back with a newer resourceVersion.
   */
  readonly #gone = new BoundedMap<string, string>(MAX_GONE);
  /** Lists that are being read. */
  readonly #passes = new Set<ListPass<T>>();
  #synced = false;

  constructor({ log, indexers = {} }: ObjectStoreOptions<T>) {
    this.#changes = new Emitter((error, { key, type }) =>
      log.error('a cache handler threw', { key, type, error }),
    );
    this.#deletions = new Emitter((error, object) =>
      log.error('a handler of deletions threw', { key: cacheKeyOf(object), error }),
    );
    this.#index = new KeyIndex(indexers);
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  byIndex(index: string, value: string): IterableIterator<T> {
    const keys = this.#index.keys(index, value);
    if (typeof keys === 'object') return this.#each(keys);
    // Most values lead to one object or none, and every request looks up several: a generator costs more than the rest.
    const object = keys === undefined ? undefined : this.#objects.get(keys);
    return (object === undefined ? [] : [object]).values();
  }

  *#each(keys: Iterable<string>): IterableIterator<T> {
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object) yield object;
    }
  }

  countByIndex(index: string, value: string): number {
    const keys = this.#index.keys(index, value);
    return typeof keys === 'string' ? 1 : (keys?.size ?? 0);
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** The first whole list of every scope is in. */
  markSynced(): void {
    this.#synced = true;
  }

  onChange(handler: (change: CacheChange<T>) => void): () => void {
    return this.#changes.on(handler);
  }

  /** Calls back for every deletion, also of an object that was never known or has been created again. Returns the function that ends it. */
  onDeleted(handler: (object: T) => void): () => void {
    return this.#deletions.on(handler);
  }

  putIfNewer(object: T): void {
    for (const pass of this.#passes) pass.wrote(cacheKeyOf(object));
    this.apply(object);
  }

  forget(key: string, uid: string): void {
    this.#tombstones.set(uid, key);
    if (this.#objects.get(key)?.metadata.uid === uid) this.#delete(key);
  }

  /** Takes the object as it was at its resourceVersion, unless something newer is known of its key: then it returns false. */
  apply(object: T): boolean {
    const { uid, resourceVersion } = object.metadata;
    if (this.#isForgotten(object) || this.#wasGoneAt(uid, resourceVersion)) return false;
    const known = this.#objects.get(cacheKeyOf(object));
    if (known && isOlder(resourceVersion, known.metadata.resourceVersion)) return false;
    if (known?.metadata.resourceVersion !== resourceVersion || known.metadata.uid !== uid) this.#set(object);
    return true;
  }

  /** Deleted by us. One that is kept by a finalizer is still there, and shows so. */
  #isForgotten({ metadata: { uid, deletionTimestamp } }: T): boolean {
    return this.#tombstones.has(uid) && deletionTimestamp === undefined;
  }

  #set(object: T): void {
    const { uid } = object.metadata;
    const key = cacheKeyOf(object);
    const known = this.#objects.get(key);
    const old = known && known.metadata.uid !== uid ? this.#delete(key) : known;
    freezeDeep(object);
    this.#objects.set(key, object);
    this.#index.move(key, old, object);
    this.#changes.emit({ type: 'set', key, object, old });
  }

  /** Takes a DELETED event; `object` is the last that was known of it, at the resourceVersion of its deletion. */
  remove(object: T): void {
    const { uid, resourceVersion } = object.metadata;
    this.#tombstones.delete(uid);
    this.#markGone(uid, resourceVersion);
    const key = cacheKeyOf(object);
    const known = this.#objects.get(key);
    // Made anew under the same name, and known already by our own write.
    const isReplaced =
      known && known.metadata.uid !== uid && isOlder(resourceVersion, known.metadata.resourceVersion);
    if (known && !isReplaced) this.#delete(key);
    else this.#deletions.emit(object);
  }

  /**
   * Begins to take in a whole list of a scope, to be requested from now on. What we deleted before is not on it, so that nothing has to
   * be kept from coming back by it.
   */
  beginList(inScope: (key: string) => boolean): ListPass<T> {
    for (const uid of this.#tombstones.keys()) {
      if (inScope(this.#tombstones.get(uid) ?? '')) this.#tombstones.delete(uid);
    }
    const pass: ListPass<T> = new ListPass({
      inScope,
      target: {
        get: (key) => this.#objects.get(key),
        apply: (object) => this.apply(object),
        remove: (object) => this.remove(object),
        replace: (object) => this.#replace(object),
        prune: (isListed, resourceVersion) => this.#prune(isListed, resourceVersion),
      },
      onEnd: () => this.#passes.delete(pass),
    });
    this.#passes.add(pass);
    return pass;
  }

  #replace(object: T): boolean {
    if (this.#isForgotten(object)) return false;
    this.#gone.delete(object.metadata.uid);
    this.#set(object);
    return true;
  }

  #prune(isListed: (key: string, object: T) => boolean, resourceVersion: string): void {
    for (const [key, object] of this.#objects) {
      if (isListed(key, object)) continue;
      this.#markGone(object.metadata.uid, resourceVersion);
      this.#delete(key);
    }
  }

  /** A scope that is no longer watched: its objects go. */
  drop(inScope: (key: string) => boolean): void {
    for (const key of this.#objects.keys()) if (inScope(key)) this.#delete(key);
  }

  #wasGoneAt(uid: string, resourceVersion: string): boolean {
    const goneAt = this.#gone.get(uid);
    return goneAt !== undefined && (compareResourceVersions(resourceVersion, goneAt) ?? 1) <= 0;
  }

  #markGone(uid: string, resourceVersion: string): void {
    if (this.#wasGoneAt(uid, resourceVersion)) return;
    this.#gone.set(uid, resourceVersion);
  }

  #delete(key: string): undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return;
    this.#objects.delete(key);
    this.#index.move(key, old, undefined);
    this.#changes.emit({ type: 'delete', key, old });
    this.#deletions.emit(old);
  }
}
