import type { Issuer } from '../../issuer/use-cases.ts';
import { createTokenRoute } from './create-token.ts';
import { deleteTokensRoute } from './delete-tokens.ts';
import { getTokensRoute } from './get-tokens.ts';
import type { Route } from './route.ts';

/** What the three calls are made of. */
export type GatewayIssuer = Pick<
  Issuer,
  'createToken' | 'authenticateBearer' | 'authenticateSelf' | 'listTokens' | 'deleteTokens'
>;

/** `{base}/api/v1/tokens`: the calls of M2MOAuthService as grpc-gateway would map them (spec §5). */
export const gatewayRoutes = (base: string, issuer: GatewayIssuer): Route[] => {
  const path = `${base}/api/v1/tokens`;
  return [
    createTokenRoute(path, issuer.createToken),
    getTokensRoute(path, issuer),
    deleteTokensRoute(path, issuer),
  ];
};
