import { unlessAborted } from '../async/abort.ts';
import { compareResourceVersions } from './object-store.ts';

interface Waiting {
  readonly resourceVersion: string;
  readonly resolve: () => void;
}

/** How far a watch has come: every event up to that resourceVersion is in the store. */
export class WatchProgress {
  #resourceVersion: string | undefined;
  readonly #waiting = new Set<Waiting>();

  /** Takes the resourceVersion of an event, a bookmark or a whole list. */
  advance(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    for (const waiting of this.#waiting) {
      if (!this.#hasReached(waiting.resourceVersion)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }

  /** Resolves once the watch has come to `resourceVersion`. Rejects with the signal's reason when it aborts. */
  async reached(resourceVersion: string, signal: AbortSignal): Promise<void> {
    if (this.#hasReached(resourceVersion)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = { resourceVersion, resolve };
    this.#waiting.add(waiting);
    try {
      await unlessAborted(promise, signal);
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  /** Versions that can't be compared, which no conformant API server sends, hold nobody up. */
  #hasReached(resourceVersion: string): boolean {
    if (this.#resourceVersion === undefined) return false;
    return (compareResourceVersions(this.#resourceVersion, resourceVersion) ?? 0) >= 0;
  }
}
