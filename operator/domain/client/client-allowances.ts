import { durationMs } from '../../api/duration.ts';
import type { OAuthClient, OAuthClientSpec } from '../../api/oauth-client.ts';
import { findReservedClaims, type IssuerSettings } from '../jwt/claims.ts';
import { floorSeconds } from '../timestamps.ts';

/** The only grant of this issuer (RFC 6749 §4.4). */
export const CLIENT_CREDENTIALS = 'client_credentials';

/** The most bytes of JSON that `spec.insertTokenClaims` may have (spec §2.4). */
const MAX_INSERTED_BYTES = 4096;

/** At most 5 values, quoted, for a message: it has to stay readable, and short enough for a condition. */
export const quote = (values: readonly string[]): string => {
  const shown = values.slice(0, 5).map((value) => JSON.stringify(value));
  return values.length > 5 ? `${shown.join(', ')} and ${values.length - 5} more` : shown.join(', ');
};

/** Whether the client may have tokens at all (spec §2.4, `allowedGrantTypes`). */
export const hasGrant = ({ spec }: OAuthClient): boolean =>
  (spec.allowedGrantTypes ?? [CLIENT_CREDENTIALS]).includes(CLIENT_CREDENTIALS);

const missingIn = (allowed: readonly string[] | undefined, requested: readonly string[]): string[] =>
  requested.filter((value) => !allowed?.includes(value));

/** The requested audiences that the client does not allow. */
export const disallowedAudiences = ({ spec }: OAuthClient, requested: readonly string[]): string[] =>
  missingIn(spec.allowedAudiences, requested);

/** Whether no audience is requested of a client that requires one: it allows some. */
export const isAudienceMissing = ({ spec }: OAuthClient, requested: readonly string[]): boolean =>
  requested.length === 0 && (spec.allowedAudiences?.length ?? 0) > 0;

/** The requested scopes that the client does not allow. */
export const disallowedScopes = ({ spec }: OAuthClient, requested: readonly string[]): string[] =>
  missingIn(spec.allowedScopes, requested);

/** The scopes of a token: the requested ones, or all that the client allows if none is requested. */
export const grantedScope = (
  { spec }: OAuthClient,
  requested: readonly string[] | undefined,
): readonly string[] => (requested && requested.length > 0 ? requested : (spec.allowedScopes ?? []));

/** The client's longest lifetime in whole seconds; undefined if it is unbounded (`0s`, spec §2.4). */
export const clientMaximum = ({ spec }: OAuthClient): number | undefined => {
  const ms = durationMs(spec.accessTokenLifetime ?? '1h');
  return ms === 0 ? undefined : floorSeconds(ms);
};

/**
 * What is wrong with `spec.insertTokenClaims` under this configuration, as the end of a message. The schema of the CRD knows neither the
 * configured claim names nor the size of JSON.
 */
export const findInsertedClaimsProblem = (
  { insertTokenClaims }: Pick<OAuthClientSpec, 'insertTokenClaims'>,
  settings: IssuerSettings,
): string | undefined => {
  if (insertTokenClaims === undefined) return undefined;
  const reserved = findReservedClaims(insertTokenClaims, settings);
  if (reserved.length > 0) {
    const shown = reserved.slice(0, 5).map((name) => JSON.stringify(name.slice(0, 64)));
    return `spec.insertTokenClaims may not set ${shown.join(', ')}`;
  }
  const bytes = Buffer.byteLength(JSON.stringify(insertTokenClaims));
  if (bytes <= MAX_INSERTED_BYTES) return undefined;
  return `spec.insertTokenClaims has ${bytes} bytes as JSON, at most ${MAX_INSERTED_BYTES} are allowed`;
};
