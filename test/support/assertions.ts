import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { bodyOf, type TestApi } from './api.ts';
import { type HttpsIssuer, startHttpsIssuer } from './https-issuer.ts';

/** `client_assertion_type` of every assertion (RFC 7523 §2.2). */
export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

type Claims = Readonly<Record<string, unknown>>;

/** A key pair of a client or of another issuer, and JWTs signed with it. */
export interface TestSigner {
  readonly kid: string;
  readonly algorithm: string;
  readonly publicJWK: JWK;
  /** The claims exactly as given; `header` over `alg` and `kid`. */
  sign(claims: Claims, header?: Claims): Promise<string>;
}

/** Makes a key pair; ES256 unless given. */
export const testSigner = async (algorithm = 'ES256'): Promise<TestSigner> => {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const kid = randomUUID();
  return {
    kid,
    algorithm,
    publicJWK: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' },
    sign: (claims, header = {}) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: algorithm, kid, ...header }).sign(privateKey, {
        crit: Object.fromEntries([header.crit ?? []].flat().map((name) => [String(name), true])),
      }),
  };
};

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** The claims of a valid private_key_jwt assertion (RFC 7523 §3), `changes` over them; undefined removes one. */
export const assertionClaims = (clientID: string, audience: string, changes: Claims = {}): Claims => {
  const claims = {
    iss: clientID,
    sub: clientID,
    aud: audience,
    iat: nowSeconds(),
    exp: nowSeconds() + 60,
    jti: randomUUID(),
    ...changes,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
};

/** Three parts as a JWS has them with `alg: none` (RFC 7515 appendix A.5): no signature at all. */
export const unsignedJwt = (claims: Claims, header: Claims = {}): string =>
  `${[{ alg: 'none', ...header }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')}.`;

/** An OpenID provider on loopback: discovery, JWKS, and JWTs. */
export interface OpenIDProvider extends AsyncDisposable {
  readonly https: HttpsIssuer;
  readonly authority: string;
  readonly signer: TestSigner;
  /** A JWT of this provider for `audience`, `changes` over its claims; undefined removes one. */
  issue(audience: string, changes?: Claims): Promise<string>;
}

/** Starts one. */
export const startOpenIDProvider = async (): Promise<OpenIDProvider> => {
  const https = await startHttpsIssuer();
  const signer = await testSigner();
  const authority = https.url;
  https.serve('/.well-known/openid-configuration', { issuer: authority, jwks_uri: `${authority}/jwks` });
  https.serve('/jwks', { keys: [signer.publicJWK] });
  return {
    https,
    authority,
    signer,
    issue: (audience, changes = {}) =>
      signer.sign(
        assertionClaims(authority, audience, { sub: 'dave', email: 'dave@example.com', ...changes }),
      ),
    [Symbol.asyncDispose]: () => https[Symbol.asyncDispose](),
  };
};

/** A projected token of a ServiceAccount, as the kubelet would get it (TokenRequest); the API server's own audience where none is given. */
export const serviceAccountToken = async (
  api: TestApi,
  account: { readonly namespace: string; readonly name: string },
  audiences: readonly string[] = [],
): Promise<string> => {
  const ref = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account };
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600, ...(audiences.length > 0 && { audiences }) },
  };
  const path = `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`;
  if ((await api.get(ref)).status === 404) bodyOf(await api.create(ref));
  return bodyOf(await api.request('POST', path, request)).status.token;
};
