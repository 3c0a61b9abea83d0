import type { SignedClaims } from '../jwt/jwt-checks.ts';
import type { TokenRecord } from './token-record.ts';

const text = (claim: unknown): string => (typeof claim === 'string' ? claim : '');
const seconds = (claim: unknown): number | undefined => (typeof claim === 'number' ? claim : undefined);

/**
 * The record that is about to be written of a declared Token's next JWT: its Secret holds it, so that it is out, and its status
 * does not say so yet (spec §3). What the JWT says is what the status will.
 */
export const recordOfClaims = (next: TokenRecord, claims: SignedClaims, ownerClaim: string): TokenRecord => ({
  ...next,
  version: next.version + 1,
  name: text(claims.name) || next.name,
  owner: text(claims[ownerClaim]),
  subject: text(claims.sub),
  clientID: text(claims.client_id),
  audience: Array.isArray(claims.aud) ? claims.aud.filter((item) => typeof item === 'string') : [],
  scope: text(claims.scope).split(' ').filter(Boolean),
  issuedAt: seconds(claims.iat) ?? 0,
  expiration: seconds(claims.exp),
});
