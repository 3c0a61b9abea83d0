import { FOREIGN_ALGORITHMS } from '../../issuer/authentication/unverified-jwt.ts';
import type { PublicKeys } from '../../ports/signing.ts';
import { type Cacheable, cacheable, memoized, sendCacheable } from './cacheable.ts';
import { HttpFailure } from './http-failure.ts';
import { oauthErrors } from './oauth-errors.ts';
import { jsonAnswer } from './openapi-parts.ts';
import type { Route } from './route.ts';

/** How a client may prove itself (RFC 8414 §2, IANA OAuth Token Endpoint Authentication Methods). */
const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];

/** What the documents say; everything else follows from it. */
export interface DiscoveryOptions {
  /** `issuer.url`: every URL in a document comes from it, and from nothing that a request says. */
  readonly issuerUrl: string;
  readonly keys: PublicKeys;
}

const methods = (endpoint: 'token' | 'introspection' | 'revocation') => ({
  [`${endpoint}_endpoint_auth_methods_supported`]: METHODS,
  [`${endpoint}_endpoint_auth_signing_alg_values_supported`]: Object.keys(FOREIGN_ALGORITHMS),
});

const documentOf = ({ issuerUrl, keys }: DiscoveryOptions) => ({
  issuer: issuerUrl,
  token_endpoint: `${issuerUrl}/oauth/token`,
  introspection_endpoint: `${issuerUrl}/oauth/introspect`,
  revocation_endpoint: `${issuerUrl}/oauth/revoke`,
  jwks_uri: `${issuerUrl}/.well-known/jwks.json`,
  plgd_tokens_endpoint: `${issuerUrl}/api/v1/tokens`,
  grant_types_supported: ['client_credentials'],
  // There is no authorization endpoint, and so no response type; OpenID Connect Discovery §3 asks for the member.
  response_types_supported: [],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: [...new Set(keys.jwks().keys.map(({ alg }) => alg))].sort(),
  ...methods('token'),
  ...methods('introspection'),
  ...methods('revocation'),
  claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'name'],
});

const DISCOVERY = '/.well-known/openid-configuration';
const METADATA = '/.well-known/oauth-authorization-server';
const JWKS = '/.well-known/jwks.json';

/** One public document. An empty set of keys, cached by verifiers, would make every token bad: before the keys are known there is none. */
const documentRoute = (path: string, summary: string, keys: PublicKeys, read: () => Cacheable): Route => ({
  method: 'GET',
  path,
  purpose: 'read a document',
  errors: oauthErrors,
  successLevel: 'debug',
  operation: {
    summary,
    responses: { 200: jsonAnswer('The document', {}), 304: { description: 'Unchanged' } },
  },
  handle: (request, reply) => {
    if (!keys.known) throw new HttpFailure(503, 'the signing keys are not known yet, try again later');
    sendCacheable(request, reply, read());
  },
});

/**
 * Discovery (OpenID Connect Discovery 1.0 §4; RFC 8414 §3.1, which puts the path of the issuer last, and as others do it) and
 * the public keys (RFC 7517 §5).
 */
export const discoveryRoutes = (base: string, options: DiscoveryOptions): Route[] => {
  const { keys } = options;
  const metadata = memoized(() => cacheable(documentOf(options)));
  const jwks = memoized(() => cacheable(keys.jwks()));
  keys.onChange(() => {
    metadata.forget();
    jwks.forget();
  });
  const paths = [...new Set([`${base}${DISCOVERY}`, `${METADATA}${base}`, `${base}${METADATA}`])];
  return [
    ...paths.map((path) => documentRoute(path, 'What this issuer offers', keys, metadata.get)),
    documentRoute(`${base}${JWKS}`, 'The keys that tokens are verified with', keys, jwks.get),
  ];
};
