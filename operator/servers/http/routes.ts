import type { Issuer } from '../../issuer/use-cases.ts';
import type { PublicKeys } from '../../ports/signing.ts';
import { discoveryRoutes, previousDiscoveryRoutes } from './discovery.ts';
import { gatewayRoutes } from './gateway.ts';
import { introspectionRoute } from './introspection-endpoint.ts';
import { oauthErrors } from './oauth-errors.ts';
import { openApiRoute } from './openapi.ts';
import { revocationRoute } from './revocation-endpoint.ts';
import type { ErrorFamily, Route } from './route.ts';
import { rpcErrors } from './rpc-errors.ts';
import { tokenRoute } from './token-endpoint.ts';

/** What the routes are built from. */
export interface RouteOptions {
  /** Every path begins with the path of this URL. */
  readonly issuerUrl: string;
  /** URLs that the issuer had before (spec §6, `issuer.previousURLs`); absent: none. */
  readonly previousURLs?: readonly string[] | undefined;
  readonly issuer: Issuer;
  readonly keys: PublicKeys;
  /** The operator's version, for the OpenAPI document. */
  readonly version: string;
}

/** The path of the issuer URL, which has no trailing slash; '' where it has none. */
const baseOf = (issuerUrl: string): string => new URL(issuerUrl).pathname.replace(/\/$/u, '');

/** Documents under earlier URLs. Of those with the same path, which a server can't tell apart, the present one and then the first counts. */
const previousRoutes = ({ issuerUrl, previousURLs = [], keys }: RouteOptions): Route[] => {
  const taken = new Set([baseOf(issuerUrl)]);
  return previousURLs.flatMap((url) => {
    const base = baseOf(url);
    if (taken.has(base)) return [];
    taken.add(base);
    return previousDiscoveryRoutes(base, url, { issuerUrl, keys });
  });
};

/** All routes of the HTTP server (spec §5). */
export const routesOf = (options: RouteOptions): Route[] => {
  const { issuerUrl, issuer, keys, version } = options;
  const base = baseOf(issuerUrl);
  const routes = [
    ...discoveryRoutes(base, { issuerUrl, keys }),
    ...previousRoutes(options),
    tokenRoute(base, issuer.createToken),
    introspectionRoute(base, issuer.introspectToken),
    revocationRoute(base, issuer.revokeToken),
    ...gatewayRoutes(base, issuer),
  ];
  return [...routes, openApiRoute(base, { issuerUrl, routes, version })];
};

/** Paths of OAuth endpoints, misspelled ones included. */
const OAUTH_PATH = /^\/oauth\/[\w-]*$/u;

/**
 * The error format of paths without a route: OAuth JSON under `/oauth/`, google.rpc.Status everywhere else, which existing verifiers
 * never take for a valid token (spec §5), however a proxy in front of this server has read the URL.
 */
export const errorsElsewhere = (issuerUrl: string): ((path: string) => ErrorFamily) => {
  const base = baseOf(issuerUrl);
  return (path) =>
    path.startsWith(base) && OAUTH_PATH.test(path.slice(base.length)) ? oauthErrors : rpcErrors;
};
