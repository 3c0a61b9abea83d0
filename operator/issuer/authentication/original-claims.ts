import { refused } from '../failure.ts';
import type { Claims } from './unverified-jwt.ts';

/** Spec §2.4: what is kept of an assertion's claims, as JSON. */
const MAX_BYTES = 4096;
/** google.protobuf.Value fails to decode much deeper than this. */
const MAX_DEPTH = 16;
/** As the CRD of IssuedToken has it. */
const MAX_CLAIMS = 256;

const isDeeperThan = (value: unknown, depth: number): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeperThan(inner, depth - 1));
};

/** The caller is authenticated at this point, so the error may say what to change. */
const tooMuch = (what: string) => {
  const remedy = "name the needed ones in the client's trustedIssuers[].claims";
  return refused('invalid_client', `the claims of the assertion ${what}: ${remedy}`, 'originalTokenClaims');
};

/**
 * What becomes `originalTokenClaims`: all claims, or those that are named.
 * @throws IssuerFailure `invalid_client` where that is more than a token may carry
 */
export const originalClaimsOf = (claims: Claims, names: readonly string[] | undefined): Claims => {
  const entries = Object.entries(claims).filter(([name]) => names?.includes(name) ?? true);
  const chosen = Object.fromEntries(entries);
  if (entries.length > MAX_CLAIMS) throw tooMuch(`are more than ${MAX_CLAIMS}`);
  if (isDeeperThan(chosen, MAX_DEPTH)) throw tooMuch(`are nested more than ${MAX_DEPTH} deep`);
  const bytes = Buffer.byteLength(JSON.stringify(chosen));
  if (bytes > MAX_BYTES) throw tooMuch(`take ${bytes} bytes as JSON, at most ${MAX_BYTES} are kept`);
  return chosen;
};
