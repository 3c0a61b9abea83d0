/** A page is to weigh about so many bytes, and is cut off beyond the second bound: parsing that takes some 50 ms. */
const WANTED_BYTES = 4 * 1024 * 1024;
const MAX_BYTES = 8 * 1024 * 1024;
/** Objects of the first page, of which nothing is known: at their largest, 1.5 MiB in etcd, a cut-off page. */
const FIRST = 50;
/** A page of small objects says little about the next ones. */
const MAX_GROWTH = 4;
const SHRINK = 4;

/** How many objects to ask for. */
export interface PageRequest {
  readonly limit: number;
  /** More bytes than this are not read; undefined for a single object, which is read whatever it weighs. */
  readonly maxBytes: number | undefined;
}

/** Adapts the number of objects on a page to what the pages before weighed, so that no list, whatever tenants put into it, is held in memory as megabytes of text. */
export class PageSize {
  #limit = FIRST;

  /** The next page, of `most` objects at most. */
  next(most: number): PageRequest {
    const limit = Math.max(1, Math.min(this.#limit, most));
    return { limit, maxBytes: limit === 1 ? undefined : MAX_BYTES };
  }

  /** A page was read. */
  read({
    limit,
    items,
    bytes,
  }: {
    readonly limit: number;
    readonly items: number;
    readonly bytes: number;
  }): void {
    if (items === 0) return;
    const fitting = Math.floor((WANTED_BYTES * items) / Math.max(1, bytes));
    this.#limit = Math.max(1, Math.min(fitting, limit * MAX_GROWTH));
  }

  /** A page had more bytes than were to be read: ask for fewer objects, from the same place. */
  exceeded({ limit }: Pick<PageRequest, 'limit'>): void {
    this.#limit = Math.max(1, Math.floor(limit / SHRINK));
  }
}
