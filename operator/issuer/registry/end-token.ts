import type { IssuedToken } from '../../api/issued-token.ts';
import type { KubeObject, ObjectRef } from '../../api/meta.ts';
import { keyOf } from '../../api/meta.ts';
import type { Token } from '../../api/token.ts';
import { type IssuedRecord, issuedRecordOf } from '../../domain/issued-record.ts';
import { floorSeconds } from '../../domain/timestamps.ts';
import { planIssuedTokenEnd, planTokenEnd, type TokenEnd } from '../../domain/token-end.ts';
import type { RecordOrigin } from '../../domain/token-record.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import { getIfThere, isConflict, isNotFound, type ResourceClient } from '../../ports/kube.ts';
import { IssuerFailure } from '../failure.ts';

/** How an object ended by this call: another may have ended it before, then it is `nothing`. */
export type Ended = 'blacklisted' | 'deleted' | 'nothing';

/** The object that holds a record: of whatever kind, it is ended once. One that was made anew under its name is another. */
export type EndTarget = RecordOrigin;

/** Blacklists a live object or deletes an expired one. @throws IssuerFailure `Unavailable` where that can't be done now */
export type EndToken = (target: EndTarget, signal: AbortSignal) => Promise<Ended>;

/** The calls that ending an object needs. */
type Writes<T extends KubeObject> = Pick<ResourceClient<T>, 'get' | 'updateStatus' | 'delete'>;

export interface EndTokenOptions {
  readonly tokens: WritableCache<Token>;
  readonly issued: WritableCache<IssuedRecord>;
  readonly tokenClient: Writes<Token>;
  readonly issuedClient: Writes<IssuedToken>;
  readonly clock: Clock;
}

/** One kind of object, as its cache holds it. */
interface Kind<T extends Pick<KubeObject, 'metadata'>> {
  readonly cache: WritableCache<T>;
  /** As it is now. */
  read(ref: ObjectRef, signal: AbortSignal): Promise<T | undefined>;
  plan(object: T, nowSeconds: number): TokenEnd;
  writeStatus(object: T, status: unknown, signal: AbortSignal): Promise<T>;
  delete(object: T, signal: AbortSignal): Promise<void>;
}

/** Others who write the same object at the same time: each try starts from what is there now. */
const MAX_TRIES = 8;

const unavailable = (cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the token can not be revoked now, try again later', { cause });

const conditionOf = ({ metadata }: Pick<KubeObject, 'metadata'>) => {
  const { name, namespace, uid, resourceVersion } = metadata;
  return { name, namespace, uid, resourceVersion };
};

/** One conditional write, as planned; the cache learns of it before anybody is answered. @throws ApiError */
const apply = async <T extends Pick<KubeObject, 'metadata'>>(
  kind: Kind<T>,
  object: T,
  { plan, signal }: { plan: TokenEnd; signal: AbortSignal },
): Promise<Ended> => {
  switch (plan.kind) {
    case 'nothing':
      return 'nothing';
    case 'blacklist':
      kind.cache.observe(await kind.writeStatus(object, plan.status, signal));
      return 'blacklisted';
    case 'delete':
      await kind.delete(object, signal);
      kind.cache.forget(keyOf(object.metadata), object.metadata.uid);
      return 'deleted';
  }
};

/**
 * Plans and writes until one write holds: a conflict is planned again from what the API server has, so that of two callers
 * one counts the object.
 */
const endObject = async <T extends Pick<KubeObject, 'metadata'>>(
  kind: Kind<T>,
  target: EndTarget,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Ended> => {
  let object = kind.cache.get(keyOf(target));
  try {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      object ??= await kind.read(target, signal);
      if (object?.metadata.uid !== target.uid) return 'nothing';
      const plan = kind.plan(object, floorSeconds(clock.now()));
      try {
        return await apply(kind, object, { plan, signal });
      } catch (error) {
        if (isNotFound(error)) {
          kind.cache.forget(keyOf(target), target.uid);
          return 'nothing';
        }
        if (!isConflict(error)) throw error;
        object = undefined;
      }
    }
  } catch (error) {
    throw unavailable(error);
  }
  throw unavailable();
};

const tokenKind = ({ tokens, tokenClient }: EndTokenOptions): Kind<Token> => ({
  cache: tokens,
  read: (ref, signal) => getIfThere(tokenClient, ref, signal),
  plan: planTokenEnd,
  writeStatus: (token, status, signal) =>
    tokenClient.updateStatus({ metadata: conditionOf(token), status }, { signal }),
  delete: (token, signal) => tokenClient.delete(token.metadata, token.metadata, { signal }),
});

const issuedKind = ({ issued, issuedClient }: EndTokenOptions): Kind<IssuedRecord> => ({
  cache: issued,
  read: async (ref, signal) => {
    const found = await getIfThere(issuedClient, ref, signal);
    return found && issuedRecordOf(found);
  },
  plan: planIssuedTokenEnd,
  writeStatus: async (record, status, signal) =>
    issuedRecordOf(await issuedClient.updateStatus({ metadata: conditionOf(record), status }, { signal })),
  delete: (record, signal) => issuedClient.delete(record.metadata, record.metadata, { signal }),
});

/** Makes {@link EndToken}: every write is on the uid and resourceVersion that were read. */
export const createEndToken = (options: EndTokenOptions): EndToken => {
  const { clock } = options;
  const [token, issued] = [tokenKind(options), issuedKind(options)];
  return (target, signal) => {
    const around = { clock, signal };
    return target.kind === 'Token' ? endObject(token, target, around) : endObject(issued, target, around);
  };
};
