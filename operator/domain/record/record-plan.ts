/** How long records of issued tokens are kept, in milliseconds (spec §6, `garbageCollection`). */
export interface CollectionSettings {
  readonly ttlAfterExpiry: number;
  /** Of those that never expire. */
  readonly ttlAfterBlacklisted: number;
}

/**
 * What is known of the client that a record names by its UID:
 * - `Known`: the cache has it.
 * - `Missing`: the cache has none of that UID. Watches of two kinds are not ordered with each other: it may not have come yet.
 * - `Ahead`: the API server has it, the cache does not yet.
 * - `Gone`: a read of the API server, begun after the record was seen, did not find it. It was there when the record was
 *   made, and no UID comes back.
 */
export type ClientPresence = 'Known' | 'Missing' | 'Ahead' | 'Gone';

/** Why a record is collected; also the label `why` of its metric. */
const COLLECT_REASONS = ['Expired', 'Blacklisted', 'ClientGone'] as const;
export type CollectReason = (typeof COLLECT_REASONS)[number];

/** What to do with an object that holds records of issued tokens. */
export type RecordPlan<Status extends object = object> =
  /** Nothing, until something or the time changes; milliseconds since the Unix epoch. */
  | { readonly kind: 'wait'; readonly requeueAt: number | undefined }
  /** To read its client from the API server, and to plan again. */
  | { readonly kind: 'ask' }
  /** To write its whole status. */
  | {
      readonly kind: 'blacklist';
      readonly cause: 'Revoked' | 'KeyCompromised';
      /** The keys that signed the tokens that it blacklists, each once. */
      readonly kids: readonly string[];
      readonly status: Status;
    }
  /** To delete it, with as many records as were still in it. */
  | { readonly kind: 'collect'; readonly why: CollectReason; readonly records: number };

/** Delay until the next look at a record whose client is not in the cache yet, in milliseconds: the client may be deleted before its watch reports it. */
const AHEAD_WAIT_MS = 60_000;

/** Waits for the end of an object's use, where there is one, and for its client, where that is to be looked for. */
export const waitFor = (
  end: number | undefined,
  { client, now }: { readonly client: ClientPresence; readonly now: number },
): Extract<RecordPlan, { kind: 'wait' | 'ask' }> => {
  if (client === 'Missing') return { kind: 'ask' };
  const again = client === 'Ahead' ? now + AHEAD_WAIT_MS : Number.POSITIVE_INFINITY;
  const requeueAt = Math.min(end ?? Number.POSITIVE_INFINITY, again);
  return { kind: 'wait', requeueAt: Number.isFinite(requeueAt) ? requeueAt : undefined };
};
