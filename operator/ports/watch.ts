/** One page of a list. */
export interface ListPage<T> {
  /** Of the whole list, the same on every page: where a watch goes on from. */
  readonly resourceVersion: string;
  /** Asks for the next page; absent on the last. */
  readonly continueToken: string | undefined;
  readonly items: readonly T[];
}

/** One event of a watch. An `ERROR` event never shows here: the stream throws it as an ApiError. */
export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T; readonly resourceVersion: string }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEventsEnd: boolean }
  /** An event that is too large to be read: of which object is not known. */
  | { readonly type: 'TOO_LARGE' };

/** How to list: a first page, or the one that `continueToken` names. */
export interface ListOptions {
  /** Most objects; a page of large ones has fewer. */
  readonly limit: number;
  readonly continueToken?: string | undefined;
  readonly signal: AbortSignal;
}

/** A whole list, page by page; a quorum read, since it names no resourceVersion. Each page is requested when the one before was taken. */
export async function* listPages<T>(
  source: Pick<ListWatch<T>, 'list'>,
  { limit, signal }: Pick<ListOptions, 'limit' | 'signal'>,
): AsyncGenerator<readonly T[]> {
  let continueToken: string | undefined;
  do {
    const page = await source.list({ limit, continueToken, signal });
    yield page.items;
    continueToken = page.continueToken;
  } while (continueToken !== undefined);
}

/** Where a watch begins. */
export interface WatchOptions {
  /** Events after this one; '' with `initialEvents`: the state as it is now. */
  readonly resourceVersion: string;
  /** Asks for the present objects as ADDED events and a bookmark at their end (KEP-3157, watch-list). */
  readonly initialEvents: boolean;
  /** After which the API server ends the stream by itself. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

/** What a reflector reads: the objects of one type in one scope (a namespace or all, and selectors). Every failure is an ApiError. */
export interface ListWatch<T> {
  /** The plural, for logs and metrics. */
  readonly resource: string;
  list(options: ListOptions): Promise<ListPage<T>>;
  /** Resolves once the API server has accepted the watch. Each batch is what arrived together; the iterator throws an ApiError for an `ERROR` event or a broken connection, and ends where the server ends the stream. */
  watch(options: WatchOptions): Promise<AsyncIterable<readonly WatchEvent<T>[]>>;
  /**
   * The resourceVersion at which the API server is now, by a consistent read over the connection of the watches. It also makes the API
   * server bring its own cache of the type up to date: a bookmark reports progress only, and while no object of the type changes, the
   * API server observes none and sends none. Costs it one look-up of an object that does not exist.
   */
  currentVersion(signal: AbortSignal): Promise<string>;
  /** Of the connections that carry this watch. */
  readonly contact: WatchContact;
}

/** When connections last brought anything at all. */
export interface WatchContact {
  /**
   * Whether silence means that the API server does not answer: the last connection that was made is pinged (HTTP/2), whether it still
   * exists or not.
   */
  readonly arePinged: boolean;
  /**
   * When the connection that has been silent for longest last answered, an HTTP/2 ping counted too, in epoch milliseconds; 0 if
   * there is no connection.
   */
  readonly lastAnswerAt: number;
}
