import type { Issuer } from '../../issuer/use-cases.ts';
import type { PublicKeys } from '../../ports/signing.ts';
import { discoveryRoutes } from './discovery.ts';
import { gatewayRoutes } from './gateway.ts';
import { introspectionRoute } from './introspection-endpoint.ts';
import { oauthErrors } from './oauth-errors.ts';
import { openApiRoute } from './openapi.ts';
import { revocationRoute } from './revocation-endpoint.ts';
import type { ErrorFamily, Route } from './route.ts';
import { rpcErrors } from './rpc-errors.ts';
import { tokenRoute } from './token-endpoint.ts';

/** What the routes speak of. */
export interface RouteOptions {
  /** Its path is what every path begins with. */
  readonly issuerUrl: string;
  readonly issuer: Issuer;
  readonly keys: PublicKeys;
  /** Of the operator, for the OpenAPI document. */
  readonly version: string;
}

/** The path of the issuer URL, which has no trailing slash; '' where it has none. */
const baseOf = (issuerUrl: string): string => new URL(issuerUrl).pathname.replace(/\/$/u, '');

/** Every path and method of the door. */
export const routesOf = ({ issuerUrl, issuer, keys, version }: RouteOptions): Route[] => {
  const base = baseOf(issuerUrl);
  const routes = [
    ...discoveryRoutes(base, { issuerUrl, keys }),
    tokenRoute(base, issuer.createToken),
    introspectionRoute(base, issuer.introspectToken),
    revocationRoute(base, issuer.revokeToken),
    ...gatewayRoutes(base, issuer),
  ];
  return [...routes, openApiRoute(base, { issuerUrl, routes, version })];
};

/** What OAuth clients post to, and might misspell. */
const OAUTH_PATH = /^\/oauth\/[\w-]*$/u;

/**
 * The errors of a path that is none of ours: google.rpc.Status, which no verifier takes for a good token (spec §5), wherever a
 * URL would lead that somebody before us has read in another way.
 */
export const errorsElsewhere = (issuerUrl: string): ((path: string) => ErrorFamily) => {
  const base = baseOf(issuerUrl);
  return (path) =>
    path.startsWith(base) && OAUTH_PATH.test(path.slice(base.length)) ? oauthErrors : rpcErrors;
};
