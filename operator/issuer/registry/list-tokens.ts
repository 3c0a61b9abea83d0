import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import type { FairTurns } from '../../async/fair-turns.ts';
import { bearerKey } from '../../domain/caller-address.ts';
import { type FoundRecord, ownerOf, type TokenRecord } from '../../domain/record/token-record.ts';
import type { Freshness } from '../../ports/freshness.ts';
import type { Bearer, Call, ListTokens, TokenQuery } from '../use-cases.ts';
import { inPieces } from './in-pieces.ts';
import { type Lookups, requireFresh } from './lookups.ts';
import { checkIdFilter, type Records } from './records.ts';

export interface ListTokensOptions {
  readonly records: Records;
  readonly lookups: Lookups;
  readonly freshness: Freshness;
  /** Bounds the lists without a filter that are sent at a time. */
  readonly queue: FairSemaphore;
  /** In which records are collected and looked up, piece by piece: all lists together leave the event loop to others. */
  readonly turns: Pick<FairTurns, 'next'>;
}

/** Records that are looked up before the event loop can run other work, whether they are shown or not. */
const LOOKED_UP = 128;
/** Ids that are collected before it can. */
const COLLECTED = 4096;
/** Characters of an id that make its group. They are random, so that groups are about equal in size. */
const PREFIX = 2;

/** Ids in groups by prefix. */
export class IdGroups {
  readonly #byPrefix = new Map<string, string[]>();

  add(id: string): void {
    const prefix = id.slice(0, PREFIX);
    const group = this.#byPrefix.get(prefix);
    if (group) group.push(id);
    else this.#byPrefix.set(prefix, [id]);
  }

  /** Removes all ids, in order. A group is sorted when it is needed, so that the first message does not wait until all ids are sorted. */
  *drain(): Generator<string> {
    for (const prefix of [...this.#byPrefix.keys()].sort()) {
      yield* (this.#byPrefix.get(prefix) ?? []).sort();
      this.#byPrefix.delete(prefix);
    }
  }
}

/** The ids of a query that the bearer may see and revoke; `all` of its owner if it names none. */
export const selectIds = ({ onlyID }: Bearer, ids: readonly string[]): readonly string[] | 'all' => {
  if (onlyID === undefined) return ids.length === 0 ? 'all' : ids;
  return ids.length === 0 || ids.includes(onlyID) ? [onlyID] : [];
};

const isShown = (
  record: FoundRecord,
  bearer: Bearer,
  { includeBlacklisted }: TokenQuery,
): record is TokenRecord =>
  record.state !== 'Next' &&
  ownerOf(record) === bearer.owner &&
  (includeBlacklisted || record.blacklistedAt === undefined);

/** Waits for a place in the queue. Resolves with the function that gives it back. */
const enter = (queue: FairSemaphore, bearer: Bearer, call: Call): Promise<() => void> =>
  new Promise((resolve, reject) => {
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const stay = (): Promise<void> => {
      resolve(leave);
      return left;
    };
    queue.run(bearerKey(bearer, call), stay, call.signal).catch(reject);
  });

/**
 * Makes {@link ListTokens} (spec §4): from the caches, in the order of ids. Only ids and names of TokenBatches are held in memory; each
 * record is looked up when it is sent, as it is then.
 */
export const createListTokens = (options: ListTokensOptions): ListTokens => {
  const { records, lookups, freshness, queue, turns } = options;

  function* idsIn(runs: Iterable<string>, owner: string): Generator<string> {
    for (const run of runs) yield* records.idsIn(run, owner);
  }

  async function* listAll(
    bearer: Bearer,
    query: TokenQuery,
    call: Call,
  ): AsyncGenerator<readonly TokenRecord[]> {
    requireFresh(freshness);
    const { owner } = bearer;
    const { signal } = call;
    const turn = () => turns.next(bearerKey(bearer, call));
    const groups = new IdGroups();
    await turn();
    for await (const runs of inPieces(records.runsOf(owner), { size: COLLECTED, turn, signal })) {
      for (const run of runs) groups.add(run);
    }
    for await (const ids of inPieces(idsIn(groups.drain(), owner), { size: LOOKED_UP, turn, signal })) {
      const found = ids.map((id) => records.find(id));
      const shown = found.filter((record) => record !== undefined && isShown(record, bearer, query));
      if (shown.length > 0) yield shown;
    }
  }

  return async function* list(bearer, query, call) {
    checkIdFilter(query.ids);
    const ids = selectIds(bearer, query.ids);
    if (ids === 'all') {
      const leave = await enter(queue, bearer, call);
      try {
        yield* listAll(bearer, query, call);
      } finally {
        leave();
      }
    } else {
      const found = await lookups.find(bearer, ids, call);
      const shown = found.filter((record) => isShown(record, bearer, query));
      if (shown.length > 0) yield shown;
    }
  };
};
