/** What an attacker did and saw. */
export interface Counts {
  /** Connections and requests that it began. */
  readonly attempts: number;
  /** Those that the operator accepted: the connection was established, or the request was answered. */
  readonly accepted: number;
  /** Those that the operator rejected or cut off, by how. */
  readonly refusals: Readonly<Record<string, number>>;
}

/** Counts for {@link Counts}. */
export class Counter {
  #attempts = 0;
  #accepted = 0;
  readonly #refusals = new Map<string, number>();

  attempted(): void {
    this.#attempts += 1;
  }

  accepted(): void {
    this.#accepted += 1;
  }

  refused(how: string, times = 1): void {
    this.#refusals.set(how, (this.#refusals.get(how) ?? 0) + times);
  }

  get counts(): Counts {
    return {
      attempts: this.#attempts,
      accepted: this.#accepted,
      refusals: Object.fromEntries(this.#refusals),
    };
  }
}
