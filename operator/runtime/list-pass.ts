import { cacheKeyOf, isOlder } from '../api/meta.ts';
import type { Cacheable } from '../ports/cache.ts';

/** What a list changes. */
interface ListTarget<T> {
  get(key: string): T | undefined;
  /** False if it is older than what is known, or known to be deleted. */
  apply(object: T): boolean;
  /** Takes a DELETED event. */
  remove(object: T): void;
  /** Takes the object whatever is known of it; false if we have deleted it since the list began. */
  replace(object: T): boolean;
  /** Removes each object that `isListed` rejects. */
  prune(isListed: (key: string, object: T) => boolean, resourceVersion: string): void;
}

export interface ListPassOptions<T> {
  readonly target: ListTarget<T>;
  readonly inScope: (key: string) => boolean;
  readonly onEnd: () => void;
}

/**
 * One whole, consistent list on its way into a store. At its end the store is what the list says: what was known before it began can't
 * be newer than the list, however its resourceVersions compare, unless the API server was put back to an earlier state. Only what was
 * written by us while the list was read may be.
 */
export class ListPass<T extends Cacheable> {
  readonly #options: ListPassOptions<T>;
  readonly #seen = new Set<string>();
  /** Listed objects of which the store knows a newer state. */
  readonly #older = new Map<string, T>();
  /** Keys of what we wrote or read meanwhile. */
  readonly #written = new Set<string>();

  constructor(options: ListPassOptions<T>) {
    this.#options = options;
  }

  take(object: T): void {
    const key = cacheKeyOf(object);
    this.#seen.add(key);
    if (this.#options.target.apply(object)) this.#older.delete(key);
    else this.#older.set(key, object);
  }

  /** Takes a DELETED event that comes among the objects of a watch-list. */
  remove(object: T): void {
    const key = cacheKeyOf(object);
    this.#seen.delete(key);
    this.#older.delete(key);
    this.#options.target.remove(object);
  }

  /** Another source than the list brings an object. */
  wrote(key: string): void {
    if (this.#options.inScope(key)) this.#written.add(key);
  }

  /** The list is complete, at its resourceVersion. Returns whether it shows an earlier state than what was known before. */
  finish(resourceVersion: string): boolean {
    const { target, inScope } = this.#options;
    let isEarlier = false;
    const isOurs = (key: string, object: T): boolean =>
      this.#written.has(key) && isOlder(resourceVersion, object.metadata.resourceVersion);
    for (const [key, object] of this.#older) {
      const known = target.get(key);
      if (known !== undefined && isOurs(key, known)) continue;
      if (target.replace(object)) isEarlier = true;
    }
    target.prune((key, object) => {
      if (!inScope(key) || this.#seen.has(key) || isOurs(key, object)) return true;
      isEarlier ||= isOlder(resourceVersion, object.metadata.resourceVersion);
      return false;
    }, resourceVersion);
    this.end();
    return isEarlier;
  }

  /** Ends it, finished or not. */
  end(): void {
    this.#options.onEnd();
  }
}
