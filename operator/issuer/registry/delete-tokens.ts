import type { Token } from '../../api/token.ts';
import { ISSUED_INDEX, type IssuedRecord } from '../../domain/issued-record.ts';
import { RECORD_INDEX, type TokenRecord } from '../../domain/token-record.ts';
import type { WritableCache } from '../../ports/cache.ts';
import { IssuerFailure } from '../failure.ts';
import { checkIdFilter } from '../id-filter.ts';
import { calledOff } from '../shared-work.ts';
import { createSlots } from '../slots.ts';
import type { Bearer, Call, DeletedTokens, DeleteTokens } from '../use-cases.ts';
import type { Ended, EndTarget, EndToken } from './end-token.ts';
import { visibleIds } from './list-tokens.ts';
import type { Lookups } from './lookups.ts';

/** Handed-out records of an owner as the API server has them now, a page at a time (a consistent read). @throws ApiError */
export type ListOwned = (owner: string, signal: AbortSignal) => AsyncIterable<readonly IssuedRecord[]>;

export interface DeleteTokensOptions {
  readonly tokens: Pick<WritableCache<Token>, 'byIndex'>;
  readonly issued: Pick<WritableCache<IssuedRecord>, 'byIndex' | 'observe'>;
  readonly lookups: Lookups;
  readonly listOwned: ListOwned;
  readonly endToken: EndToken;
}

/** Writes of one call at once, and of all calls: they leave the API server room for tokens that are asked for meanwhile. */
const WORKERS = 16;
const WRITES = { atOnce: 48, waiting: 4096 };

const targetOf = ({ origin }: TokenRecord): EndTarget => origin;

/** Each object once: any id of a declared Token is the whole Token. */
const distinct = (targets: Iterable<EndTarget>): EndTarget[] => [
  ...new Map([...targets].map((target) => [target.uid, target])).values(),
];

/** Works on all of them, a few at a time; what fails does not keep the others from being done. */
const endAll = async (
  targets: readonly EndTarget[],
  end: (target: EndTarget) => Promise<Ended>,
  signal: AbortSignal,
): Promise<DeletedTokens> => {
  const counts = { blacklisted: 0, deleted: 0, nothing: 0 };
  let failure: unknown;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < targets.length && !signal.aborted) {
      const target = targets[next];
      next += 1;
      if (target === undefined) return;
      try {
        counts[await end(target)] += 1;
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(WORKERS, targets.length) }, work));
  if (signal.aborted) throw calledOff();
  if (failure !== undefined) throw failure;
  return { blacklisted: counts.blacklisted, deleted: counts.deleted };
};

/**
 * Makes {@link DeleteTokens} (contract §4): live tokens of the owner are blacklisted, expired ones deleted; ids that are unknown or
 * somebody else's are passed over in silence. All of an owner's are found by a consistent read, so that those made a moment ago
 * through another replica are among them.
 */
export const createDeleteTokens = (options: DeleteTokensOptions): DeleteTokens => {
  const { tokens, issued, lookups, listOwned, endToken } = options;
  const slots = createSlots(WRITES);

  const allOf = async (owner: string, signal: AbortSignal): Promise<EndTarget[]> => {
    const targets = new Map<string, EndTarget>();
    const add = (target: EndTarget): void => void targets.set(target.uid, target);
    try {
      for await (const page of listOwned(owner, signal)) {
        for (const record of page) {
          if (record.owner !== owner) continue;
          issued.observe(record);
          add(targetOf(record));
        }
      }
    } catch (cause) {
      throw new IssuerFailure('Unavailable', 'the tokens are not known now, try again later', { cause });
    }
    for (const record of issued.byIndex(ISSUED_INDEX.owner, owner)) add(targetOf(record));
    for (const { metadata } of tokens.byIndex(RECORD_INDEX.owner, owner)) {
      const { namespace, name, uid } = metadata;
      add({ kind: 'Token', namespace, name, uid });
    }
    return [...targets.values()];
  };

  const targetsOf = async (
    bearer: Bearer,
    ids: readonly string[],
    call: Pick<Call, 'signal'>,
  ): Promise<EndTarget[]> => {
    const visible = visibleIds(bearer, ids);
    if (visible === undefined) return allOf(bearer.owner, call.signal);
    return distinct((await lookups.find(bearer, visible, call)).map(targetOf));
  };

  return async (bearer, ids, call) => {
    checkIdFilter(ids);
    const { signal } = call;
    const targets = await targetsOf(bearer, ids, call);
    return endAll(targets, (target) => slots.run(() => endToken(target, signal), signal), signal);
  };
};
