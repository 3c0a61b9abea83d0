import type { Ref } from '../../support/api.ts';

const apiVersion = 'm2moauth.dev/v1alpha1';

/** An object of ours with the least that its kind needs, and `spec` on top; a field that is undefined is left out. */
const builder =
  (kind: string, least: object) =>
  (spec: object = {}, metadata: object = {}): Ref => ({
    apiVersion,
    kind,
    metadata: { namespace: 'default', name: 'a', ...metadata },
    spec: { ...least, ...spec },
  });

export const token = builder('Token', { clientRef: { name: 'app' } });
export const client = builder('OAuthClient', { owner: 'alice' });
export const key = builder('SigningKey', {});

export const issuedToken = builder('IssuedToken', {
  clientRef: { name: 'app' },
  clientID: 'app',
  clientUID: '5d9b9e86-0a4e-4c0c-9d0a-3f6f9f0f6a01',
  owner: 'alice',
  subject: 'alice',
  issuedAt: '2026-01-01T00:00:00Z',
  keyID: 'a'.repeat(43),
});

export const tokenBatch = builder('TokenBatch', {
  clientRef: { name: 'app' },
  clientID: 'app',
  clientUID: '5d9b9e86-0a4e-4c0c-9d0a-3f6f9f0f6a01',
  count: 2,
  profiles: [{ owner: 'alice', subject: 'alice', keyID: 'a'.repeat(43) }],
  tokens: ['0 1767225600 1767229200 nightly', '0 1767225600 0'],
});

/** A client with one method of authentication. */
export const clientWith = (authentication: object): Ref => client({ authentication });

/** A client that trusts one issuer, with additional `fields`. */
export const clientTrusting = (fields: object): Ref =>
  clientWith({
    trustedIssuers: [
      { authority: 'https://idp.example.com', audience: 'us', ownerPrefix: 'idp:', ...fields },
    ],
  });

/** A client with one public key, with additional `members`. */
export const clientWithKey = (members: object): Ref =>
  clientWith({ privateKeyJWT: { jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AA', ...members }] } } });

/** A kid, as far as its shape goes. */
export const kid = (letter: string): string => letter.repeat(43);

/** `n` different texts. */
export const many = (n: number): string[] => Array.from({ length: n }, (_, at) => `entry-${at}`);
