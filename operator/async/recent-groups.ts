/** How long a group counts as present after it was seen, in milliseconds. */
const PRESENT_MS = 1000;

interface Seen {
  readonly group: string;
  at: number;
}

/** Which groups were seen lately, as far as is needed to tell whether a group is alone. Times are milliseconds of the caller's clock. */
export class RecentGroups {
  #last: Seen | undefined;
  /** Of another group than the last one. */
  #other: Seen | undefined;

  seen(group: string, now: number): void {
    if (this.#last?.group === group) {
      this.#last.at = now;
      return;
    }
    this.#other = this.#last;
    this.#last = { group, at: now };
  }

  /** Whether any other group was seen within the last second. */
  hasOthers(group: string, now: number): boolean {
    const other = this.#last?.group === group ? this.#other : this.#last;
    return other !== undefined && now - other.at < PRESENT_MS;
  }
}
