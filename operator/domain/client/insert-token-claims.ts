import type { OAuthClientSpec } from '../../api/oauth-client.ts';
import { findReservedClaims, type IssuerSettings } from '../jwt/claims.ts';

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
