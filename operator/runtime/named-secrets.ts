import { type ObjectRef, refOf } from '../api/meta.ts';
import { Emitter } from '../async/emitter.ts';
import { KeyedLimit } from '../async/keyed-limit.ts';
import type { NamedSecrets, SecretMeta } from '../ports/secrets.ts';
import type { ListWatch } from '../ports/watch.ts';
import type { ReflectorSurroundings } from './informer.ts';
import { ObjectStore } from './object-store.ts';
import { Reflector } from './reflector.ts';

export interface NamedSecretWatchesOptions extends ReflectorSurroundings {
  /** Metadata of the one Secret of that name (field selector `metadata.name`). */
  readonly sourceOf: (ref: ObjectRef) => ListWatch<SecretMeta>;
  /** Most Secrets that the owners of one kind follow at a time; 500 unless given. */
  readonly limitOfKind?: number;
  /** Of those, most in one namespace; 250 unless given. */
  readonly limitOfNamespace?: number;
}

interface Followed {
  /** By their kind. */
  readonly owners: Map<string, Set<string>>;
  readonly stop: AbortController;
}

/** A budget for each, so that Tokens, which anybody may make, leave clients and signing keys theirs. */
const LIMIT_OF_KIND = 500;
/** Enough for all clients of an installation in one namespace; the rest is left to the others. */
const LIMIT_OF_NAMESPACE = 250;

/** `token:<key>`, `OAuthClient/<key>`: what comes before the key. */
const kindOf = (owner: string): string => /^[^:/]*/u.exec(owner)?.[0] ?? '';

/** One single-name watch for each followed Secret, shared by its followers and ended with the last one. */
export class NamedSecretWatches implements NamedSecrets {
  readonly #options: NamedSecretWatchesOptions;
  readonly #store: ObjectStore<SecretMeta>;
  readonly #followed = new Map<string, Followed>();
  /** How many Secrets the owners of a kind follow, by namespace. */
  readonly #ofKind = new Map<string, KeyedLimit>();
  readonly #keysOf = new Map<string, ReadonlySet<string>>();
  readonly #changes: Emitter<string>;
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: NamedSecretWatchesOptions) {
    this.#options = options;
    this.#changes = new Emitter((error, owner) =>
      options.log.error('a handler of named Secrets threw', { owner, error }),
    );
    this.#store = new ObjectStore({ log: options.log });
    this.#store.onChange(({ key }) => this.#notifyOwners(key));
  }

  /** How many Secrets are watched now. */
  get size(): number {
    return this.#followed.size;
  }

  get(key: string): SecretMeta | undefined {
    return this.#store.get(key);
  }

  onChange(handler: (owner: string) => void): () => void {
    return this.#changes.on(handler);
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
    if (this.#stopped) return false;
    const kind = kindOf(owner);
    const known = this.#followed.get(key);
    const ofKind = known?.owners.get(kind);
    if (ofKind) {
      ofKind.add(owner);
      return true;
    }
    if (this.#limitOf(kind).take(refOf(key).namespace) !== undefined) return false;
    const { owners } = known ?? this.#watch(key);
    owners.set(kind, new Set([owner]));
    return true;
  }

  #limitOf(kind: string): KeyedLimit {
    const known = this.#ofKind.get(kind);
    if (known) return known;
    const { limitOfKind: total = LIMIT_OF_KIND, limitOfNamespace: perKey = LIMIT_OF_NAMESPACE } =
      this.#options;
    const limit = new KeyedLimit({ total, perKey });
    this.#ofKind.set(kind, limit);
    return limit;
  }

  #watch(key: string): Followed {
    const stop = new AbortController();
    const followed: Followed = { owners: new Map(), stop };
    this.#followed.set(key, followed);
    const reflector = new Reflector({
      ...this.#options,
      source: this.#options.sourceOf(refOf(key)),
      store: this.#store,
      inScope: (other) => other === key,
    });
    const running = reflector.run(stop.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return followed;
  }

  #release(owner: string, key: string): void {
    const followed = this.#followed.get(key);
    const kind = kindOf(owner);
    const ofKind = followed?.owners.get(kind);
    ofKind?.delete(owner);
    if (!followed || !ofKind || ofKind.size > 0) return;
    followed.owners.delete(kind);
    this.#limitOf(kind).release(refOf(key).namespace);
    if (followed.owners.size > 0) return;
    followed.stop.abort();
    this.#followed.delete(key);
    this.#store.drop((other) => other === key);
  }

  #notifyOwners(key: string): void {
    const owners = [...(this.#followed.get(key)?.owners.values() ?? [])].flatMap((ofKind) => [...ofKind]);
    for (const owner of owners) this.#changes.emit(owner);
  }
}
