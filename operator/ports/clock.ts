/** Time and timers, so that months can pass in a test within milliseconds. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls back once, `ms` milliseconds from now (any length; longer than a platform timer allows is fine). The returned function cancels it. */
  after(ms: number, callback: () => void): () => void;
}

/** A clock that also counts time which can't be set back or forward: leases depend on it. */
export interface MonotonicClock extends Clock {
  /** Milliseconds since an arbitrary start; never falls, whatever happens to {@link Clock.now}. */
  monotonic(): number;
}
