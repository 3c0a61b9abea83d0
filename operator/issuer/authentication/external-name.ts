import type { Claims } from './unverified-jwt.ts';

/** As the records have it (api/issued-token.ts). */
const MAX_OWNER = 512;

/** A claim that the JWT itself makes. */
export const ownClaim = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined;

/**
 * Whom a claim of another issuer names here: shown in lists, logs and labels, so without control characters. Undefined where
 * it can name nobody.
 */
export const prefixedName = (prefix: string, value: unknown): string | undefined => {
  if (typeof value !== 'string' || value === '') return undefined;
  const name = prefix + value;
  return name.length <= MAX_OWNER && name.isWellFormed() && !/\p{Cc}/u.test(name) ? name : undefined;
};
