/** Work that several callers share: one run at a time for each key, whose outcome all of them get. Nothing is kept of a run that has ended. */
export class SingleFlight<K, T> {
  readonly #running = new Map<K, Promise<T>>();

  /** Whether a run for the key is under way. */
  has(key: K): boolean {
    return this.#running.has(key);
  }

  /** Joins the run that is under way, or starts one. @throws what `work` throws, to every caller */
  run(key: K, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running) return running;
    const started = work().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
