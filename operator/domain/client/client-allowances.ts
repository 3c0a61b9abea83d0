import { durationMs } from '../../api/duration.ts';
import type { OAuthClient, OAuthClientSpec } from '../../api/oauth-client.ts';
import { findReservedClaims, type IssuerSettings } from '../jwt/claims.ts';
import { floorSeconds } from '../timestamps.ts';

/** The only grant (RFC 6749 §4.4) by which this issuer gives tokens. */
export const CLIENT_CREDENTIALS = 'client_credentials';

/** Values for a message, in quotes. The first few: it has to stay readable, and within what a condition may hold. */
export const quote = (values: readonly string[]): string => {
  const shown = values.slice(0, 5).map((value) => JSON.stringify(value));
  return values.length > 5 ? `${shown.join(', ')} and ${values.length - 5} more` : shown.join(', ');
};

/** Whether the client may have tokens at all (spec §2.4, `allowedGrantTypes`). */
export const hasGrant = ({ spec }: OAuthClient): boolean =>
  (spec.allowedGrantTypes ?? [CLIENT_CREDENTIALS]).includes(CLIENT_CREDENTIALS);

const lacking = (allowed: readonly string[] | undefined, asked: readonly string[]): string[] =>
  asked.filter((value) => !allowed?.includes(value));

/** The audiences asked for that the client does not allow. */
export const disallowedAudiences = ({ spec }: OAuthClient, asked: readonly string[]): string[] =>
  lacking(spec.allowedAudiences, asked);

/** Whether none is asked for where one has to be: the client allows some. */
export const isAudienceMissing = ({ spec }: OAuthClient, asked: readonly string[]): boolean =>
  asked.length === 0 && (spec.allowedAudiences?.length ?? 0) > 0;

/** The scopes asked for that the client does not allow. */
export const disallowedScopes = ({ spec }: OAuthClient, asked: readonly string[]): string[] =>
  lacking(spec.allowedScopes, asked);

/** What a token gets of the scopes: those asked for, or all that the client allows where none is. */
export const grantedScope = (
  { spec }: OAuthClient,
  asked: readonly string[] | undefined,
): readonly string[] => (asked && asked.length > 0 ? asked : (spec.allowedScopes ?? []));

/** The longest lifetime that a client allows, in whole seconds; undefined if it is unbounded (`0s`, spec §2.4). */
export const clientMaximum = ({ spec }: OAuthClient): number | undefined => {
  const ms = durationMs(spec.accessTokenLifetime ?? '1h');
  return ms === 0 ? undefined : floorSeconds(ms);
};

/** Spec §2.4: what a client's extra claims may take in every JWT, as JSON. */
const MAX_INSERTED_BYTES = 4096;

/** What is wrong with `spec.insertTokenClaims` under this configuration: the schema can't know the configured claim names, nor measure JSON. */
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
