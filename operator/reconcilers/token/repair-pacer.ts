/** Repairs that a key may have at once, and how long one more takes, in milliseconds. */
const BURST = 3;
const REFILL_MS = 20_000;
/** Keys that are remembered; the oldest go beyond this. */
const MAX_KEYS = 10_000;

/**
 * Keeps a repair that something undoes at once (an admission webhook, another controller) from becoming a hot loop: each key may
 * be repaired a few times in a row, then at a slow pace.
 */
export class RepairPacer {
  /** When each key's allowance is whole again, in milliseconds since the Unix epoch. */
  readonly #wholeAt = new Map<string, number>();

  /** Takes one repair from the key's allowance: 0, or after how many milliseconds to ask again. */
  take(key: string, now: number): number {
    const wholeAt = Math.max(this.#wholeAt.get(key) ?? 0, now);
    const wait = wholeAt + REFILL_MS - now - BURST * REFILL_MS;
    if (wait > 0) return Math.min(wait, REFILL_MS);
    this.#wholeAt.delete(key);
    this.#wholeAt.set(key, wholeAt + REFILL_MS);
    const [oldest] = this.#wholeAt.keys();
    if (this.#wholeAt.size > MAX_KEYS && oldest !== undefined) this.#wholeAt.delete(oldest);
    return 0;
  }
}
