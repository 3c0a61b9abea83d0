import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { type FoundRecord, ownerOf, type TokenRecord } from '../../domain/record/token-record.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { calledOff } from '../failure.ts';
import { bearerKey } from '../fair-keys.ts';
import type { Bearer, Call, ListTokens, TokenQuery } from '../use-cases.ts';
import { type Lookups, requireFresh } from './lookups.ts';
import { checkIdFilter, type Records } from './records.ts';

export interface ListTokensOptions {
  readonly records: Records;
  readonly lookups: Lookups;
  readonly freshness: Freshness;
  /** Bounds the lists without a filter that are sent at a time. */
  readonly queue: FairSemaphore;
  /** Resolves in a later turn of the event loop, so that other work can run. */
  readonly turn: () => Promise<void>;
}

/** Records that are looked up before the event loop can run other work. */
const CHUNK = 128;
/** Characters of an id that make its group. They are random, so that groups are about equal in size. */
const PREFIX = 2;

/**
 * The ids in order, in groups by prefix. A group is sorted when it is needed, so that the first message does not wait until all ids are
 * sorted.
 */
export function* inOrder(ids: Iterable<string>): Generator<readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const id of ids) {
    const prefix = id.slice(0, PREFIX);
    const group = groups.get(prefix);
    if (group) group.push(id);
    else groups.set(prefix, [id]);
  }
  for (const prefix of [...groups.keys()].sort()) {
    yield (groups.get(prefix) ?? []).sort();
    groups.delete(prefix);
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
  const { records, lookups, freshness, queue, turn } = options;

  function* idsIn(runs: readonly string[], owner: string): Generator<string> {
    for (const run of runs) yield* records.idsIn(run, owner);
  }

  async function* listAll(
    bearer: Bearer,
    query: TokenQuery,
    signal: AbortSignal,
  ): AsyncGenerator<readonly TokenRecord[]> {
    requireFresh(freshness);
    let chunk: TokenRecord[] = [];
    for (const group of inOrder(records.runsOf(bearer.owner))) {
      for (const id of idsIn(group, bearer.owner)) {
        const record = records.find(id);
        if (record && isShown(record, bearer, query)) chunk.push(record);
        if (chunk.length < CHUNK) continue;
        yield chunk;
        chunk = [];
        await turn();
        if (signal.aborted) throw calledOff();
      }
    }
    if (chunk.length > 0) yield chunk;
  }

  return async function* list(bearer, query, call) {
    checkIdFilter(query.ids);
    const ids = selectIds(bearer, query.ids);
    if (ids === 'all') {
      const leave = await enter(queue, bearer, call);
      try {
        yield* listAll(bearer, query, call.signal);
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
