import type { Token } from '../../api/token.ts';
import { createSemaphore } from '../../async/semaphore.ts';
import { type CachedIssuedToken, ISSUED_INDEX } from '../../domain/record/cached-issued-token.ts';
import {
  BATCH_INDEX,
  batchedIdsOf,
  batchOriginOf,
  type CachedTokenBatch,
} from '../../domain/record/cached-token-batch.ts';
import type { EndCounts } from '../../domain/record/revocation-plan.ts';
import { RECORD_INDEX, type RecordOrigin } from '../../domain/record/token-record.ts';
import type { WritableCache } from '../../ports/cache.ts';
import { calledOff, IssuerFailure, SEMAPHORE_ERRORS } from '../failure.ts';
import type { Bearer, Call, DeletedTokens, DeleteTokens } from '../use-cases.ts';
import type { EndTarget, EndToken } from './end-token.ts';
import { visibleIds } from './list-tokens.ts';
import type { Lookups } from './lookups.ts';
import { checkIdFilter } from './records.ts';

/** Lists the objects with records of an owner by consistent reads, a page at a time. @throws ApiError */
export interface ListOwned {
  issued(owner: string, signal: AbortSignal): AsyncIterable<readonly CachedIssuedToken[]>;
  batches(owner: string, signal: AbortSignal): AsyncIterable<readonly CachedTokenBatch[]>;
}

export interface DeleteTokensOptions {
  readonly tokens: Pick<WritableCache<Token>, 'byIndex'>;
  readonly issued: Pick<WritableCache<CachedIssuedToken>, 'byIndex' | 'observe'>;
  readonly batches: Pick<WritableCache<CachedTokenBatch>, 'byIndex' | 'observe'>;
  readonly lookups: Lookups;
  readonly listOwned: ListOwned;
  readonly endToken: EndToken;
}

/** Concurrent writes of one call, and of all calls: they leave the API server capacity to record new tokens. */
export const WORKERS = 16;
const WRITES = { atOnce: 48, waiting: 4096 };

/** The objects to write, each once, with the ids of all records to end. */
class Targets {
  readonly #byUid = new Map<string, EndTarget & { readonly ids: Set<string> }>();

  add(origin: RecordOrigin, ids: Iterable<string> = []): void {
    const known = this.#byUid.get(origin.uid);
    if (known === undefined) this.#byUid.set(origin.uid, { ...origin, ids: new Set(ids) });
    else for (const id of ids) known.ids.add(id);
  }

  get all(): readonly EndTarget[] {
    return [...this.#byUid.values()];
  }
}

/** Ends all targets, a few at a time. A failure does not stop the others; the first one is thrown at the end. */
const endAll = async (
  targets: readonly EndTarget[],
  end: (target: EndTarget) => Promise<EndCounts>,
  signal: AbortSignal,
): Promise<DeletedTokens> => {
  const counts = { blacklisted: 0, deleted: 0 };
  let failure: unknown;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < targets.length && !signal.aborted) {
      const target = targets[next];
      next += 1;
      if (target === undefined) return;
      try {
        const { blacklisted, deleted } = await end(target);
        counts.blacklisted += blacklisted;
        counts.deleted += deleted;
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(WORKERS, targets.length) }, work));
  if (signal.aborted) throw calledOff();
  if (failure !== undefined) throw failure;
  return counts;
};

/**
 * Makes {@link DeleteTokens} (spec §4): blacklists live tokens of the owner and deletes expired ones; unknown ids and those of other owners
 * are ignored. "All" is found by a consistent read, so that it includes tokens that another replica has just issued.
 */
export const createDeleteTokens = (options: DeleteTokensOptions): DeleteTokens => {
  const { tokens, issued, batches, lookups, listOwned, endToken } = options;
  const semaphore = createSemaphore({ ...WRITES, errors: SEMAPHORE_ERRORS });

  const refresh = async (owner: string, signal: AbortSignal): Promise<void> => {
    try {
      for await (const page of listOwned.issued(owner, signal))
        for (const record of page) issued.observe(record);
      for await (const page of listOwned.batches(owner, signal))
        for (const batch of page) batches.observe(batch);
    } catch (cause) {
      throw new IssuerFailure('Unavailable', 'the tokens are not known now, try again later', { cause });
    }
  };

  const allOf = async (owner: string, signal: AbortSignal): Promise<Targets> => {
    await refresh(owner, signal);
    const targets = new Targets();
    for (const { id, origin } of issued.byIndex(ISSUED_INDEX.owner, owner)) targets.add(origin, [id]);
    for (const batch of batches.byIndex(BATCH_INDEX.owner, owner)) {
      targets.add(batchOriginOf(batch), batchedIdsOf(batch, owner));
    }
    for (const { metadata } of tokens.byIndex(RECORD_INDEX.owner, owner)) {
      const { namespace, name, uid } = metadata;
      targets.add({ kind: 'Token', namespace, name, uid });
    }
    return targets;
  };

  const targetsOf = async (
    bearer: Bearer,
    ids: readonly string[],
    call: Pick<Call, 'signal'>,
  ): Promise<Targets> => {
    const visible = visibleIds(bearer, ids);
    if (visible === undefined) return allOf(bearer.owner, call.signal);
    const targets = new Targets();
    for (const { id, origin } of await lookups.find(bearer, visible, call)) targets.add(origin, [id]);
    return targets;
  };

  return async (bearer, ids, call) => {
    checkIdFilter(ids);
    const { signal } = call;
    const { all } = await targetsOf(bearer, ids, call);
    return endAll(all, (target) => semaphore.run(() => endToken(target, signal), signal), signal);
  };
};
