import { type FairTurns, inTurns } from '../async/fair-turns.ts';
import { bearerKey, unauthenticatedKey } from '../domain/caller-address.ts';
import type { Lookups } from './registry/lookups.ts';
import type { AuthenticateClient, AuthenticateSelf } from './use-cases.ts';

/** What every request begins with. */
interface Authentication {
  readonly authenticateClient: AuthenticateClient;
  readonly authenticateSelf: AuthenticateSelf;
}

/**
 * Authentication, which starts when its caller has its turn: nobody is authenticated yet, so that callers are addresses, and there the
 * client IDs that they name. As long as this turn of the event loop has time left, it starts at once.
 */
export const authenticationInTurns = (
  { authenticateClient, authenticateSelf }: Authentication,
  turns: Pick<FairTurns, 'run'>,
): Authentication => ({
  authenticateClient: inTurns(turns, authenticateClient, ({ clientID }, call) =>
    unauthenticatedKey(call, clientID),
  ),
  authenticateSelf: inTurns(turns, authenticateSelf, (_authorization, call) => unauthenticatedKey(call)),
});

/** Look-ups of filters, which may have 1,000 ids, when their bearer has its turn. */
export const lookupsInTurns = (lookups: Lookups, turns: Pick<FairTurns, 'run'>): Lookups => {
  const find = inTurns(turns, lookups.find, (bearer, _ids, call) => bearerKey(bearer, call));
  return { find: async (...args) => find(...args) };
};
