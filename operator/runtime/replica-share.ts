/** What is known of another replica by its Lease. Other clocks are not trusted, so only our own times count. */
interface ObservedReplica {
  readonly resourceVersion: string;
  /** Monotonic milliseconds at which this resourceVersion was first observed. */
  readonly since: number;
  /** How long the Lease counts after that, which the Lease itself says. */
  readonly durationMs: number;
  /** How many renewals have still to be observed before that replica is known to have listed ours. */
  readonly renewalsAwaited: number;
}

/** The other replicas, by the UIDs of their Leases; undefined while ours is not known to have been listed with them. */
export type ObservedReplicas = ReadonlyMap<string, ObservedReplica>;

/** One Lease of a list. */
export interface ListedReplica {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly durationMs: number;
}

/**
 * Of the share that it gets later, a replica uses so much until all others are known to count it. Small enough for eleven replicas that
 * start at the same time beside one: together they exceed a rate by less than 20 %.
 */
const JOINING = 0.1;

/**
 * A replica renews its Lease only after it has listed all of them since its last renewal: the second renewal after ours was written is
 * preceded by a list with ours.
 */
const RENEWALS_AFTER_LIST = 2;

const isLive = ({ since, durationMs }: ObservedReplica, now: number): boolean => now - since < durationMs;

/**
 * The other replicas after a list. Those of the first list after our Lease was written (`before` is undefined) may not count us yet;
 * those that appear later have written theirs after that list, and list ours before they use anything.
 */
export const observeReplicas = (
  before: ObservedReplicas | undefined,
  listed: readonly ListedReplica[],
  now: number,
): ObservedReplicas =>
  new Map(
    listed.map(({ uid, resourceVersion, durationMs }) => {
      const known = before?.get(uid);
      if (known?.resourceVersion === resourceVersion) return [uid, known];
      const awaited = known?.renewalsAwaited ?? (before === undefined ? RENEWALS_AFTER_LIST + 1 : 0);
      return [uid, { resourceVersion, since: now, durationMs, renewalsAwaited: Math.max(0, awaited - 1) }];
    }),
  );

/** How many replicas there are, with this one. */
export const countReplicas = (others: ObservedReplicas, now: number): number => {
  let count = 1;
  for (const replica of others.values()) if (isLive(replica, now)) count += 1;
  return count;
};

/** The part of a limit that this replica may use, above 0 and at most 1: an equal one, or the tenth of that until the others count it. */
export const shareAmong = (others: ObservedReplicas, now: number): number => {
  let isCounted = true;
  for (const replica of others.values()) {
    if (replica.renewalsAwaited > 0 && isLive(replica, now)) isCounted = false;
  }
  return (isCounted ? 1 : JOINING) / countReplicas(others, now);
};

/** The same for a replica whose Lease is not valid, or not written yet: the others do not count it. `count` is the last known number of replicas. */
export const shareUncounted = (count: number): number => JOINING / count;
