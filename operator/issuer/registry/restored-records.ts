import type { RecordObject } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

/** A cache of one kind of record objects. */
interface Watched<T extends RecordObject> {
  readonly kind: string;
  readonly cache: Pick<Cache<T>, 'onChange'>;
  /** Whether a record of the object was created again. */
  readonly isRestored: (object: T) => boolean;
}

const WARN_EVERY_MS = 60_000;

/**
 * Logs that records were created again, whose tokens are rejected (spec §2.2), at most once a minute for each kind: a restore brings
 * many. Call it before the cache starts; the returned function ends it.
 */
export const warnOfRestoredRecords = <T extends RecordObject>(
  { kind, cache, isRestored }: Watched<T>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): (() => void) => {
  let warnedAt = Number.NEGATIVE_INFINITY;
  return cache.onChange((change) => {
    if (change.type === 'delete' || change.old !== undefined || !isRestored(change.object)) return;
    const now = clock.now();
    if (Math.abs(now - warnedAt) < WARN_EVERY_MS) return;
    warnedAt = now;
    const { namespace, name } = change.object.metadata;
    log.warn('a record was created again after its token was issued: the token is rejected', {
      kind,
      namespace,
      name,
    });
  });
};
