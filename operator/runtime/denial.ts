import { isForbidden } from '../ports/kube.ts';

/** 403 for so long is not the start of an API server whose authorizer has not read the roles yet. Shorter than a cache may be without contact. */
const DENIED_AFTER_MS = 5_000;

/** Whether the API server denies a scope, by the row of its 403s. */
export class Denial {
  /** When the present row began; undefined if there is none. */
  #since: number | undefined;
  #isDenied = false;

  /** It has been denied for some seconds; until it is lifted. */
  get isDenied(): boolean {
    return this.#isDenied;
  }

  /** The last answer was a 403. */
  get isSuspected(): boolean {
    return this.#since !== undefined;
  }

  /** Takes how a list or watch ended, at `now` in epoch milliseconds. Any other answer ends the row. Returns whether the scope is denied by it. */
  take(failure: unknown, now: number): boolean {
    if (!isForbidden(failure)) {
      this.#since = undefined;
      return false;
    }
    this.#since ??= now;
    this.#isDenied ||= now - this.#since >= DENIED_AFTER_MS;
    return this.#isDenied;
  }

  /** Milliseconds until another 403 means that the scope is denied; infinite if that is not the question. */
  untilDenied(now: number): number {
    if (this.#since === undefined || this.#isDenied) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#since + DENIED_AFTER_MS - now);
  }

  /** The scope was listed. */
  lift(): void {
    this.#since = undefined;
    this.#isDenied = false;
  }
}
