import type { TokenRequest } from '../../operator/domain/client/token-request.ts';

/** A request by client_credentials that names nothing else; `changes` over it. */
export const tokenRequest = (changes: Partial<TokenRequest> = {}): TokenRequest => ({
  clientID: '',
  clientSecret: '',
  assertionType: '',
  assertion: '',
  grantType: 'client_credentials',
  audience: [],
  scope: [],
  expiration: 0,
  tokenName: '',
  ...changes,
});
