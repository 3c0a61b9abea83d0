import { type ObjectRef, refOf } from '../api/meta.ts';
import type { NamedSecrets, SecretMeta } from '../ports/secrets.ts';
import type { ListWatch } from '../ports/watch.ts';
import type { ReflectorSurroundings } from './informer.ts';
import { ObjectStore } from './object-store.ts';
import { Reflector } from './reflector.ts';

export interface NamedSecretWatchesOptions extends ReflectorSurroundings {
  /** Metadata of the one Secret of that name (field selector `metadata.name`). */
  readonly sourceOf: (ref: ObjectRef) => ListWatch<SecretMeta>;
  /** Most Secrets that are watched at a time; 500 unless given. */
  readonly limit?: number;
}

interface Followed {
  readonly owners: Set<string>;
  readonly stop: AbortController;
}

const LIMIT = 500;

/** One single-name watch for each Secret that somebody follows, shared between those who follow it, ended with the last. */
export class NamedSecretWatches implements NamedSecrets {
  readonly #options: NamedSecretWatchesOptions;
  readonly #store: ObjectStore<SecretMeta>;
  readonly #followed = new Map<string, Followed>();
  readonly #keysOf = new Map<string, ReadonlySet<string>>();
  readonly #handlers = new Set<(owner: string) => void>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: NamedSecretWatchesOptions) {
    this.#options = options;
    this.#store = new ObjectStore({ log: options.log });
    this.#store.onChange(({ key }) => this.#tell(key));
  }

  /** How many Secrets are watched now. */
  get size(): number {
    return this.#followed.size;
  }

  get(key: string): SecretMeta | undefined {
    return this.#store.get(key);
  }

  onChange(handler: (owner: string) => void): () => void {
    const own = (owner: string): void => handler(owner);
    this.#handlers.add(own);
    return () => this.#handlers.delete(own);
  }

  follow(owner: string, keys: readonly string[]): boolean {
    const wanted = new Set(keys);
    const had = this.#keysOf.get(owner) ?? new Set<string>();
    for (const key of had) if (!wanted.has(key)) this.#release(owner, key);
    const followed = new Set<string>();
    for (const key of wanted) if (had.has(key) || this.#acquire(owner, key)) followed.add(key);
    if (followed.size === 0) this.#keysOf.delete(owner);
    else this.#keysOf.set(owner, followed);
    return followed.size === wanted.size;
  }

  /** Ends every watch; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { stop } of this.#followed.values()) stop.abort();
    this.#followed.clear();
    this.#keysOf.clear();
    await Promise.all(this.#running);
  }

  #acquire(owner: string, key: string): boolean {
    const known = this.#followed.get(key);
    if (known) {
      known.owners.add(owner);
      return true;
    }
    if (this.#stopped || this.#followed.size >= (this.#options.limit ?? LIMIT)) return false;
    const stop = new AbortController();
    this.#followed.set(key, { owners: new Set([owner]), stop });
    const reflector = new Reflector({
      ...this.#options,
      source: this.#options.sourceOf(refOf(key)),
      store: this.#store,
      inScope: (other) => other === key,
    });
    const running = reflector.run(stop.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return true;
  }

  #release(owner: string, key: string): void {
    const followed = this.#followed.get(key);
    followed?.owners.delete(owner);
    if (!followed || followed.owners.size > 0) return;
    followed.stop.abort();
    this.#followed.delete(key);
    this.#store.drop((other) => other === key);
  }

  #tell(key: string): void {
    for (const owner of this.#followed.get(key)?.owners ?? []) {
      for (const handler of this.#handlers) {
        try {
          handler(owner);
        } catch (error) {
          this.#options.log.error('a handler of named Secrets threw', { owner, error });
        }
      }
    }
  }
}
