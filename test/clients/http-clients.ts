import { randomBytes, type webcrypto } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { bodyOf, type Ref, type TestApi } from '../support/api.ts';
import { applyObjects } from '../support/apply.ts';
import { eventually } from '../support/eventually.ts';
import type { HttpsIssuer } from '../support/https-issuer.ts';
import { conditionOf, oauthClient } from '../support/installation.ts';

/** For whom tokens are asked. */
export const AUDIENCE = 'https://api.example.com';

/** A client that sends a secret. */
export interface SecretClient {
  readonly id: string;
  readonly owner: string;
  readonly secret: string;
}

/** A client that signs its own assertions (RFC 7523). */
export interface KeyClient {
  readonly id: string;
  readonly owner: string;
  readonly kid: string;
  readonly privateKey: webcrypto.CryptoKey;
}

/** A client that sends a JWT of another issuer. */
export interface AssertionClient {
  readonly id: string;
  readonly owner: string;
  /** A fresh one. */
  assertion(): Promise<string>;
}

interface Place {
  readonly api: TestApi;
  readonly namespace: string;
}

const newName = (prefix: string): string => `${prefix}-${randomBytes(4).toString('hex')}`;

/** Applies an OAuthClient with what it needs, and waits until it holds its ID and can authenticate. */
const register = async (
  { api, namespace }: Place,
  { client, others = [] }: { client: Ref; others?: readonly Ref[] },
): Promise<string> => {
  await applyObjects(api, [...others, client], { namespace });
  return eventually(
    async () => {
      const found = bodyOf(await api.get(client));
      const condition = conditionOf(found, 'CredentialsReady');
      if (condition?.status !== 'True') throw new Error(`CredentialsReady: ${condition?.message}`);
      return found.status.clientID;
    },
    { timeoutMs: 30_000 },
  );
};

interface SecretClientChanges {
  readonly secret?: string;
  readonly spec?: object;
}

/** Its secret is in a Secret. */
export const makeSecretClient = async (
  place: Place,
  name: string,
  { secret = randomBytes(24).toString('base64url'), spec = {} }: SecretClientChanges = {},
): Promise<SecretClient> => {
  const secretObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: place.namespace },
    stringData: { client_secret: secret },
  };
  const owner = `owner-of-${name}`;
  const client = oauthClient(name, place.namespace, {
    owner,
    authentication: { clientSecret: { secretRef: { name, key: 'client_secret' } } },
    ...spec,
  });
  return { id: await register(place, { client, others: [secretObject] }), owner, secret };
};

/** ID and secret have each character that Basic, forms or URLs give a meaning to (RFC 6749 §2.3.1, appendix B). */
export const makeOddClient = (place: Place, spec: object = {}): Promise<SecretClient> => {
  const name = newName('odd');
  return makeSecretClient(place, name, {
    secret: `p w+%41:&=/?#"'\\~ü€${randomBytes(9).toString('base64')}`,
    spec: { clientID: `${name}:+%41&=/?#"'\\~`, ...spec },
  });
};

/** Its public key stands in its spec. */
export const makeKeyClient = async (place: Place): Promise<KeyClient> => {
  const name = newName('key');
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: name, alg: 'ES256', use: 'sig' };
  const client = oauthClient(name, place.namespace, {
    owner: `owner-of-${name}`,
    authentication: { privateKeyJWT: { jwks: { keys: [jwk] } } },
  });
  const id = await register(place, { client });
  return { id, owner: `owner-of-${name}`, kid: name, privateKey };
};

/** It trusts an OpenID provider, whose claims name the owner of its tokens. */
export const makeTrustingClient = async (place: Place, provider: HttpsIssuer): Promise<AssertionClient> => {
  const name = newName('trusting');
  const owner = `ci:${name}`;
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'provider', alg: 'RS256', use: 'sig' };
  provider.serve('/.well-known/openid-configuration', {
    issuer: provider.url,
    jwks_uri: `${provider.url}/jwks`,
  });
  provider.serve('/jwks', { keys: [jwk] });
  const client = oauthClient(name, place.namespace, {
    owner: undefined,
    authentication: {
      trustedIssuers: [{ authority: provider.url, audience: 'm2m-oauth', ownerPrefix: 'ci:' }],
    },
  });
  const id = await register(place, { client });
  const claims: JWTPayload = { sub: name, pipeline: 'nightly' };
  return {
    id,
    owner,
    assertion: () =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: 'provider' })
        .setIssuer(provider.url)
        .setAudience('m2m-oauth')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey),
  };
};

/** It is a ServiceAccount, whose projected token is for the issuer itself. */
export const makeServiceAccountClient = async (place: Place, issuer: string): Promise<AssertionClient> => {
  const { api, namespace } = place;
  const name = newName('account');
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
  const client = oauthClient(name, namespace, {
    owner: `owner-of-${name}`,
    authentication: { serviceAccounts: [{ namespace, name }] },
  });
  const id = await register(place, { client, others: [account] });
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  return {
    id,
    owner: `owner-of-${name}`,
    assertion: async () =>
      bodyOf(await api.request('POST', path, { ...review, spec: { audiences: [issuer] } })).status.token,
  };
};
