/** Bounds of an exponential backoff, in milliseconds. */
export interface BackoffBounds {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * The ceiling of the wait after the `attempt`-th failure in a row (0 = the first): base × 2^attempt, at most the cap.
 */
export const backoffCeilingMs = (attempt: number, { baseMs, capMs }: BackoffBounds): number =>
  Math.min(capMs, baseMs * 2 ** Math.min(attempt, 52));

/** Full jitter: anything from 0 to the ceiling. For many clients of one server that came back: they spread out. `random` gives [0, 1). */
export const fullJitterMs = (attempt: number, bounds: BackoffBounds, random: () => number): number =>
  random() * backoffCeilingMs(attempt, bounds);

/** Equal jitter: half of the ceiling and up to as much again, for a key that should not come back at once. `random` gives [0, 1). */
export const equalJitterMs = (attempt: number, bounds: BackoffBounds, random: () => number): number =>
  backoffCeilingMs(attempt, bounds) * (0.5 + random() / 2);
