import { ASSERTION_ALGORITHMS } from '../../issuer/authentication/unverified-jwt.ts';
import type { PublicKeys } from '../../ports/signing.ts';
import { type Cacheable, cacheable, memoized, sendCacheable } from './cacheable.ts';
import { HttpFailure } from './http-failure.ts';
import { oauthErrors } from './oauth-errors.ts';
import { jsonAnswer } from './openapi-parts.ts';
import type { Route } from './route.ts';

/** Client authentication methods (RFC 8414 §2, IANA registry OAuth Token Endpoint Authentication Methods). */
const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];

/** The source of the documents. */
export interface DiscoveryOptions {
  /** `issuer.url`: every URL in a document is derived from it, never from a request. */
  readonly issuerUrl: string;
  readonly keys: PublicKeys;
}

const methods = (endpoint: 'token' | 'introspection' | 'revocation') => ({
  [`${endpoint}_endpoint_auth_methods_supported`]: METHODS,
  [`${endpoint}_endpoint_auth_signing_alg_values_supported`]: Object.keys(ASSERTION_ALGORITHMS),
});

const documentOf = ({ issuerUrl, keys }: DiscoveryOptions) => ({
  issuer: issuerUrl,
  token_endpoint: `${issuerUrl}/oauth/token`,
  introspection_endpoint: `${issuerUrl}/oauth/introspect`,
  revocation_endpoint: `${issuerUrl}/oauth/revoke`,
  jwks_uri: `${issuerUrl}/.well-known/jwks.json`,
  plgd_tokens_endpoint: `${issuerUrl}/api/v1/tokens`,
  grant_types_supported: ['client_credentials'],
  // Without an authorization endpoint there is no response type; readers look for the member (decision 0023).
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

/** A public document. It is 503 until the signing keys are known: verifiers that cached an empty set would reject every token. */
const documentRoute = (path: string, summary: string, keys: PublicKeys, read: () => Cacheable): Route => ({
  method: 'GET',
  isPublic: true,
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

const metadataPaths = (base: string): string[] => [
  ...new Set([`${base}${DISCOVERY}`, `${METADATA}${base}`, `${base}${METADATA}`]),
];

/**
 * The discovery document, at the places of OpenID Connect Discovery 1.0 §4 and RFC 8414 §3.1 (the path of the issuer last) and under
 * the issuer's path, and the JWKS (RFC 7517 §5).
 */
export const discoveryRoutes = (base: string, options: DiscoveryOptions): Route[] => {
  const { keys } = options;
  const metadata = memoized(() => cacheable(documentOf(options)));
  const jwks = memoized(() => cacheable(keys.jwks()));
  keys.onChange(() => {
    metadata.forget();
    jwks.forget();
  });
  return [
    ...metadataPaths(base).map((path) =>
      documentRoute(path, 'The discovery document of this issuer', keys, metadata.get),
    ),
    documentRoute(`${base}${JWKS}`, 'The keys that verify tokens', keys, jwks.get),
  ];
};

/**
 * Discovery and JWKS under a URL that the issuer had before, for verifiers of the tokens from then: `issuer` is that URL, as RFC 8414
 * §3.3 requires of the document that is found there, and tokens are to be had from the present one.
 */
export const previousDiscoveryRoutes = (
  base: string,
  previousURL: string,
  options: DiscoveryOptions,
): Route[] => {
  const { keys } = options;
  const ofThen = { issuer: previousURL, jwks_uri: `${previousURL}${JWKS}` };
  const metadata = memoized(() => cacheable({ ...documentOf(options), ...ofThen }));
  const jwks = memoized(() => cacheable(keys.jwks()));
  keys.onChange(() => {
    metadata.forget();
    jwks.forget();
  });
  const summary = 'Of a URL that this issuer had before';
  return [
    ...metadataPaths(base).map((path) => documentRoute(path, summary, keys, metadata.get)),
    documentRoute(`${base}${JWKS}`, summary, keys, jwks.get),
  ];
};
