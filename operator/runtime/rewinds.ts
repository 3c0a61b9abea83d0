import { Emitter } from '../async/emitter.ts';
import type { Log } from '../ports/log.ts';

/** Where the API server was found at an earlier state than before. */
interface Rewind {
  /** What was read: the plural of a resource type. */
  readonly resource: string;
  readonly knownVersion: string;
  readonly foundVersion: string;
}

/**
 * Notifies everyone who keeps objects that the API server is at an earlier state than before, as after a restore of etcd from a backup:
 * what one watch finds holds for all. A watch at a later resourceVersion is accepted, and silent (kubernetes/kubernetes#107457).
 */
export class Rewinds {
  readonly #log: Log;
  readonly #emitter: Emitter<Rewind>;

  constructor(log: Log) {
    this.#log = log;
    this.#emitter = new Emitter((error) => log.error('a handler of rewinds threw', { error }));
  }

  /** Returns the function that unsubscribes. */
  on(handler: () => void): () => void {
    return this.#emitter.on(handler);
  }

  found(rewind: Rewind): void {
    this.#log.warn('the API server is at an earlier state than before: everything is listed again', {
      ...rewind,
    });
    this.#emitter.emit(rewind);
  }
}
