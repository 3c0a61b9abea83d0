import type { FairTurns } from '../async/fair-turns.ts';
import { bearerKey, unauthenticatedKey } from './fair-keys.ts';
import type { Lookups } from './registry/lookups.ts';
import type { Issuer } from './use-cases.ts';

/**
 * The use cases, which start when their caller has its turn: nobody is authenticated yet, so that callers are addresses, and there the
 * client IDs that they name. As long as this turn of the event loop has time left, they start at once.
 */
export const issuerInTurns = (issuer: Issuer, turns: Pick<FairTurns, 'run'>): Issuer => ({
  ...issuer,
  createToken: async (request, call) =>
    turns.run(
      () => unauthenticatedKey(call, request.clientID),
      () => issuer.createToken(request, call),
    ),
  authenticateBearer: async (authorization, call) =>
    turns.run(
      () => unauthenticatedKey(call),
      () => issuer.authenticateBearer(authorization, call),
    ),
  authenticateSelf: (authorization, call) =>
    turns.run(
      () => unauthenticatedKey(call),
      () => issuer.authenticateSelf(authorization, call),
    ),
  introspectToken: (token, credentials, call) =>
    turns.run(
      () => unauthenticatedKey(call, credentials.clientID),
      () => issuer.introspectToken(token, credentials, call),
    ),
  revokeToken: async (token, credentials, call) =>
    turns.run(
      () => unauthenticatedKey(call, credentials.clientID),
      () => issuer.revokeToken(token, credentials, call),
    ),
});

/** Look-ups of filters, which may have 1,000 ids, when their bearer has its turn. */
export const lookupsInTurns = (lookups: Lookups, turns: Pick<FairTurns, 'run'>): Lookups => ({
  find: async (bearer, ids, call) =>
    turns.run(
      () => bearerKey(bearer, call),
      () => lookups.find(bearer, ids, call),
    ),
});
