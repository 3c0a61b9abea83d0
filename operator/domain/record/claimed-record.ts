import type { SignedClaims } from '../jwt/claims.ts';
import type { CurrentRecord, NextRecord } from './token-record.ts';

const text = (claim: unknown): string => (typeof claim === 'string' ? claim : '');
const seconds = (claim: unknown): number | undefined => (typeof claim === 'number' ? claim : undefined);

/**
 * The record that the status of a declared token will have of its next JWT, which the Secret already holds (spec §3). The claims
 * do not name `clientUID` and `keyID`: they are empty.
 */
export const recordOfClaims = (
  next: NextRecord,
  claims: SignedClaims,
  ownerClaim: string,
): CurrentRecord => ({
  id: next.id,
  origin: next.origin,
  client: next.client,
  blacklistedAt: next.blacklistedAt,
  state: 'Current',
  version: next.version + 1,
  name: text(claims.name) || next.name,
  owner: text(claims[ownerClaim]),
  subject: text(claims.sub),
  clientID: text(claims.client_id),
  clientUID: '',
  keyID: '',
  audience: Array.isArray(claims.aud) ? claims.aud.filter((item) => typeof item === 'string') : [],
  scope: text(claims.scope).split(' ').filter(Boolean),
  issuedAt: seconds(claims.iat) ?? 0,
  expiration: seconds(claims.exp),
  originalTokenClaims: undefined,
});
