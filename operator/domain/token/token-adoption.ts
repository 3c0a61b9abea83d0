import { TOKEN_CLAIM } from '../../api/reserved-claims.ts';
import type { TokenStatus } from '../../api/token.ts';
import { RENEW_REQUEST } from '../annotation-request.ts';
import { typeOf } from '../jwt/claims.ts';
import { floorSeconds } from '../timestamps.ts';
import { CAUSE_TRAITS, findIssueCause } from './issue-cause.ts';
import { previousAfter, type Succession } from './previous.ts';
import { CLIENT_UID_ANNOTATION } from './secret-plan.ts';
import { nextTokenId } from './token-id.ts';
import type { ObservedJwt, ObservedSecret, TokenObservation } from './token-observation.ts';
import { permit } from './token-policies.ts';
import { describeJwt } from './token-status.ts';

const findNext = (
  observation: TokenObservation,
): { jwt: ObservedJwt; secret: ObservedSecret } | undefined => {
  const { namespace, name } = observation.token.metadata;
  const id = nextTokenId(observation);
  for (const secret of observation.secrets) {
    if (!secret.owned) continue;
    const jwt = secret.jwts?.find(
      ({ claims }) => claims.jti === id && claims[TOKEN_CLAIM] === `${namespace}/${name}`,
    );
    if (jwt) return { jwt, secret };
  }
  return undefined;
};

const STRICTNESS: readonly Succession[] = ['Renewed', 'Changed', 'Dropped'];
const stricter = (a: Succession, b: Succession): Succession =>
  STRICTNESS.indexOf(a) > STRICTNESS.indexOf(b) ? a : b;

/** What the crashed pass had in mind is not known: the stricter of what it wrote and of what would be done now. */
const successionOf = (
  observation: TokenObservation,
  after: { readonly clientUID: string; readonly digest: string | undefined },
): Succession => {
  const { token, keys } = observation;
  const before = token.status ?? {};
  if (before.clientUID !== after.clientUID || keys.phase(before.keyID ?? '') === 'Compromised')
    return 'Dropped';
  const written = before.claimsDigest === after.digest ? 'Renewed' : 'Changed';
  const permitted = permit(observation);
  const cause = permitted.kind === 'permitted' ? findIssueCause(permitted.observation) : undefined;
  return cause === undefined ? written : stricter(written, CAUSE_TRAITS[cause].succession);
};

/**
 * The status after adopting the next issuance that the Token's own Secret holds (spec §2.1): a crash came between its two
 * writes. Undefined where there is none. Conditions and version are as they were.
 */
export const adoptedStatus = (observation: TokenObservation): TokenStatus | undefined => {
  const found = findNext(observation);
  if (found === undefined) return undefined;
  const { token, keys, settings, now } = observation;
  const before = token.status ?? {};
  const { jwt, secret } = found;
  const clientUID = secret.annotations[CLIENT_UID_ANNOTATION] ?? '';
  const content = { typ: typeOf(jwt.claims, settings), claims: jwt.claims };
  const described = describeJwt(content, { kid: jwt.kid, clientUID, settings });
  const isRefusedKey = (kid: string) => keys.phase(kid) === 'Compromised';
  const previous = previousAfter({
    status: before,
    succession: successionOf(observation, { clientUID, digest: described.claimsDigest }),
    overlap: token.spec.renewal?.overlap,
    nowSeconds: floorSeconds(now),
    keepsEarlier: before.clientUID === clientUID,
    isRefusedKey,
  });
  const handled = secret.annotations[RENEW_REQUEST.annotation] ?? before.lastHandledRenew;
  return {
    ...described,
    issuance: (before.issuance ?? 0) + 1,
    ...(before.version !== undefined && { version: before.version }),
    ...(previous.length > 0 && { previous }),
    ...(before.conditions && { conditions: before.conditions }),
    ...(before.observedGeneration !== undefined && { observedGeneration: before.observedGeneration }),
    ...(handled !== undefined && { lastHandledRenew: handled }),
    // Still the earlier place, if there was one: it has yet to be cleared.
    secretRef: before.secretRef ?? { name: secret.name },
  };
};
