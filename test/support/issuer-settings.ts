import type { IssuerSettings } from '../../operator/domain/jwt/claims.ts';

/** The issuer's part of the configuration as its defaults are; `changes` over them. */
export const issuerSettings = (changes: Partial<IssuerSettings> = {}): IssuerSettings => ({
  url: 'https://issuer.example',
  ownerClaim: 'sub',
  deviceIDClaim: '',
  tokenType: 'at+jwt',
  backdateMs: 0,
  ...changes,
});
