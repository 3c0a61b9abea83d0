import { durationMs } from '../../api/duration.ts';
import type { TokenStatus } from '../../api/token.ts';
import { formatTime, secondsOf } from '../timestamps.ts';

/** One entry of `status.previous`. */
export type PreviousToken = NonNullable<TokenStatus['previous']>[number];

/** How many earlier JWTs may be good beside the current one (spec §2.1). */
const MAX_PREVIOUS = 8;
/** How long a JWT without expiration stays good after its renewal where `overlap` is absent, in seconds. */
const UNBOUNDED_OVERLAP = 3600;
/** The longest that a JWT stays good whose successor says something else, in seconds. */
const CHANGED_OVERLAP = 600;

/**
 * How the JWT that is replaced lives on: `Renewed` by `spec.renewal.overlap`, `Changed` at most 10 min of it, `Dropped` not at all.
 * After the last two the ones before it, which may say the same, have at most 10 min left, too.
 */
export type Succession = 'Renewed' | 'Changed' | 'Dropped';

/** What the list of earlier JWTs is made from after an issuance. */
export interface SuccessionInput {
  readonly status: TokenStatus | undefined;
  readonly succession: Succession;
  /** `spec.renewal.overlap`. */
  readonly overlap: string | undefined;
  readonly nowSeconds: number;
  /** False where the earlier ones go too: their client is another one. */
  readonly keepsEarlier: boolean;
  readonly isRefusedKey: (kid: string) => boolean;
}

/** How long a JWT stays good from now, in seconds, but for its own expiration. */
const stayOf = ({ status, succession, overlap }: SuccessionInput): number => {
  const asked = overlap === undefined ? undefined : Math.floor(durationMs(overlap) / 1000);
  const stay = asked ?? (status?.expiration === undefined ? UNBOUNDED_OVERLAP : Number.POSITIVE_INFINITY);
  return succession === 'Renewed' ? stay : Math.min(stay, CHANGED_OVERLAP);
};

const currentAsPrevious = (input: SuccessionInput): PreviousToken | undefined => {
  const { status, succession, nowSeconds } = input;
  const { id, issuedAt, keyID, expiration } = status ?? {};
  if (succession === 'Dropped' || id === undefined || issuedAt === undefined || keyID === undefined) {
    return undefined;
  }
  const own = expiration === undefined ? Number.POSITIVE_INFINITY : secondsOf(expiration);
  return { id, issuedAt, expiration: formatTime(Math.min(own, nowSeconds + stayOf(input))), keyID };
};

/** An overlap that was promised at a renewal holds at the next one; a change of what the JWTs say, or of their limit, cuts it. */
const earlierAfter = (input: SuccessionInput): PreviousToken[] => {
  const { status, succession, nowSeconds, keepsEarlier } = input;
  const earlier = keepsEarlier ? (status?.previous ?? []) : [];
  if (succession === 'Renewed') return [...earlier];
  const latest = nowSeconds + stayOf(input);
  return earlier.map((entry) =>
    secondsOf(entry.expiration) > latest ? { ...entry, expiration: formatTime(latest) } : entry,
  );
};

/** The earlier JWTs that are still good: expired ones and those of refused keys are left out. */
export const prunePrevious = (
  previous: readonly PreviousToken[] | undefined,
  nowSeconds: number,
  isRefusedKey: (kid: string) => boolean,
): PreviousToken[] =>
  (previous ?? []).filter(
    ({ expiration, keyID }) => secondsOf(expiration) > nowSeconds && !isRefusedKey(keyID),
  );

/** `status.previous` after an issuance, oldest first: those still good and the one that is replaced; at most 8, of which the oldest go. */
export const previousAfter = (input: SuccessionInput): PreviousToken[] => {
  const replaced = currentAsPrevious(input);
  const all = [
    ...earlierAfter(input).filter(({ id }) => id !== replaced?.id),
    ...(replaced ? [replaced] : []),
  ];
  return prunePrevious(all, input.nowSeconds, input.isRefusedKey).slice(-MAX_PREVIOUS);
};
