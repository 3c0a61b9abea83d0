import { type FoundRecord, ownerOf, type TokenRecord } from '../../domain/record/token-record.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { calledOff } from '../failure.ts';
import type { Bearer, ListTokens, TokenQuery } from '../use-cases.ts';
import { insistOnFresh, type Lookups } from './lookups.ts';
import { checkIdFilter, type Records } from './records.ts';

export interface ListTokensOptions {
  readonly records: Records;
  readonly lookups: Lookups;
  readonly freshness: Freshness;
  /** Resolves in a later turn of the event loop, so that others get theirs. */
  readonly turn: () => Promise<void>;
}

/** Records that are looked up before others get their turn. */
const CHUNK = 128;
/** Characters of an id that a group shares: random ones, so groups are alike in size. */
const PREFIX = 2;

/**
 * Ids in their order, a group at a time: only the group that is about to be shown is sorted, so that the first message does not
 * wait for the order of the last.
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

/** The ids that a bearer may ask about: all that it names, or its own where that is all it may see. */
export const visibleIds = ({ onlyID }: Bearer, ids: readonly string[]): readonly string[] | undefined => {
  if (onlyID === undefined) return ids.length === 0 ? undefined : ids;
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

/**
 * Makes {@link ListTokens} (spec §4): from the caches by owner, in the order of ids. What is held of the answer is ids,
 * and names of TokenBatches; each record is looked up when its turn comes, as it is then.
 */
export const createListTokens = ({ records, lookups, freshness, turn }: ListTokensOptions): ListTokens => {
  function* idsIn(runs: readonly string[], owner: string): Generator<string> {
    for (const run of runs) yield* records.idsIn(run, owner);
  }

  async function* listAll(
    bearer: Bearer,
    query: TokenQuery,
    signal: AbortSignal,
  ): AsyncGenerator<readonly TokenRecord[]> {
    insistOnFresh(freshness);
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
    const ids = visibleIds(bearer, query.ids);
    if (ids === undefined) yield* listAll(bearer, query, call.signal);
    else {
      const found = await lookups.find(bearer, ids, call);
      const shown = found.filter((record) => isShown(record, bearer, query));
      if (shown.length > 0) yield shown;
    }
  };
};
