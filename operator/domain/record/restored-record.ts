import { MAX_CLOCK_SKEW_SECONDS } from '../jwt/jwt-checks.ts';

/** The largest `issuer.backdate` (spec §6), in seconds. */
export const MAX_BACKDATE_SECONDS = 600;

/** How much later than `issuedAt` the API server may date a record: the largest backdate, and the clocks of two ready replicas. */
const MAX_RECORD_DELAY_SECONDS = MAX_BACKDATE_SECONDS + 2 * MAX_CLOCK_SKEW_SECONDS;

/**
 * Whether a record was created so long after its token was issued that another writer created it again, from a backup for instance: it
 * lacks the revocations since, or may itself have been deleted to revoke the token (spec §2.2). Seconds since the Unix epoch.
 */
export const isRestored = (issuedAt: number, createdAt: number): boolean =>
  createdAt - issuedAt > MAX_RECORD_DELAY_SECONDS;
