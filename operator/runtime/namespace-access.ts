import type { Log } from '../ports/log.ts';

/** Where a reflector reports whether the API server permits it to watch its scope. */
export interface ScopeAccess {
  denied(): void;
  permitted(): void;
  /** The namespace of the scope does not exist, so that nothing in it does. */
  isGone(): boolean;
}

export interface NamespaceAccessOptions {
  /** That are named in the configuration, and without which the others are served. */
  readonly namespaces: readonly string[];
  /** False if it is known that there is no such namespace. */
  readonly exists: (namespace: string) => boolean;
  readonly log: Log;
}

/**
 * Which of the watched namespaces the operator may not watch now: deleted, not there yet, or without its Role. Each is logged once,
 * however many types are watched in it.
 */
export class NamespaceAccess {
  readonly #options: NamespaceAccessOptions;
  /** The resources that are denied, by namespace. */
  readonly #denied = new Map<string, Set<string>>();

  constructor(options: NamespaceAccessOptions) {
    this.#options = options;
    for (const namespace of options.namespaces) this.#denied.set(namespace, new Set());
  }

  /** Of the watch of a resource type in a namespace; undefined if that namespace is required. */
  of(namespace: string, resource: string): ScopeAccess | undefined {
    const denied = this.#denied.get(namespace);
    if (denied === undefined) return undefined;
    return {
      denied: () => {
        if (denied.size === 0) this.#warn(namespace, resource);
        denied.add(resource);
      },
      permitted: () => {
        if (denied.delete(resource) && denied.size === 0)
          this.#options.log.info('a watched namespace can be watched again', { namespace });
      },
      isGone: () => this.isGone(namespace),
    };
  }

  /** It can't be watched, and does not exist. */
  isGone(namespace: string): boolean {
    const denied = this.#denied.get(namespace);
    return denied !== undefined && denied.size > 0 && !this.#options.exists(namespace);
  }

  /** 1 for each namespace that can't be watched, 0 for the others. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#denied].map(([name, { size }]) => [name, size > 0 ? 1 : 0]));
  }

  #warn(namespace: string, resource: string): void {
    const { exists, log } = this.#options;
    const why = exists(namespace)
      ? 'the roles of the operator are not bound there: apply those of this release'
      : 'it does not exist: create it with the roles of the operator, or remove it from watchNamespaces';
    log.warn('a watched namespace can not be watched; the others are served', { namespace, resource, why });
  }
}
