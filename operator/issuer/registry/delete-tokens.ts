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

/** What holds handed-out records of an owner, as the API server has it now, a page at a time (consistent reads). @throws ApiError */
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

/** Writes of one call at once, and of all calls: they leave the API server room for tokens that are asked for meanwhile. */
export const WORKERS = 16;
const WRITES = { atOnce: 48, waiting: 4096 };

/** Each object once, with all that is to be ended of it. */
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

/** Works on all of them, a few at a time; what fails does not keep the others from being done. */
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
 * Makes {@link DeleteTokens} (spec §4): live tokens of the owner are blacklisted, expired ones deleted; ids that are unknown or
 * somebody else's are passed over in silence. All of an owner's are found by a consistent read, so that those made a moment ago
 * through another replica are among them.
 */
export const createDeleteTokens = (options: DeleteTokensOptions): DeleteTokens => {
  const { tokens, issued, batches, lookups, listOwned, endToken } = options;
  const semaphore = createSemaphore({ ...WRITES, errors: SEMAPHORE_ERRORS });

  const learn = async (owner: string, signal: AbortSignal): Promise<void> => {
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
    await learn(owner, signal);
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
