import type { Config } from '../config/schema.ts';
import type { IssuerSettings } from '../domain/jwt/claims.ts';

/** What the configuration says of every JWT. */
export const issuerSettingsOf = ({ issuer }: Config): IssuerSettings => ({
  url: issuer.url,
  previousURLs: issuer.previousURLs,
  ownerClaim: issuer.ownerClaim,
  deviceIDClaim: issuer.deviceIDClaim,
  tokenType: issuer.tokenType,
  backdateMs: issuer.backdate,
});
