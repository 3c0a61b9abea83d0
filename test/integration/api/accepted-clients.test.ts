import { afterAll, describe, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { client, clientTrusting, clientWith, clientWithKey, many } from './objects.ts';
import { expectAcceptance } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const claims = (insertTokenClaims: object) => client({ insertTokenClaims });
const namespaces = (allowedNamespaces: object) => client({ allowedNamespaces });
const selector = (fields: object) => namespaces({ from: 'Selector', selector: fields });
const introspection = (fields: object) => client({ introspection: fields });
const secret = (ref: object, fields: object = {}) =>
  clientWith({ clientSecret: { secretRef: { name: 'a', ...ref }, ...fields } });
const jwksURI = (uri: string) => clientWith({ privateKeyJWT: { jwksURI: uri } });

describe('the API server accepts an OAuthClient', () => {
  test.each([
    ['with an owner alone', client()],
    ['of an issuer', client({ issuer: 'https://a.example/m2m' })],
    ['of an issuer on loopback', client({ issuer: 'http://localhost:9101/m2m' })],
    ['with a clientID of every visible ASCII character', client({ clientID: 'https://a.example/?!~"\\' })],
    [
      'without owner, with a trusted issuer',
      client({
        owner: undefined,
        authentication: {
          trustedIssuers: [{ authority: 'https://a.example/b/', audience: '*', ownerPrefix: '' }],
        },
      }),
    ],
    ['with unbounded tokens', client({ accessTokenLifetime: '0s' })],
    ['with tokens of a second', client({ accessTokenLifetime: '1s' })],
    ['that gets no tokens', client({ allowedGrantTypes: [] })],
    ['with every list full', client({ allowedAudiences: many(256), allowedScopes: many(256) })],
    [
      'with claims of any JSON',
      claims({ a: null, b: [1, { c: 'd' }], 'e/f.g': { sub: 'h' }, subject: true }),
    ],
    ['with a reserved claim that is null, which is dropped', claims({ sub: null })],
    [
      'for the namespaces of a selector',
      selector({
        matchLabels: { 'a.b/c': 'd', e: '' },
        matchExpressions: [
          { key: 'f', operator: 'NotIn', values: ['g', ''] },
          { key: 'h', operator: 'DoesNotExist' },
        ],
      }),
    ],
    ['for the namespaces of an empty selector', selector({})],
    ['for its own namespace, said as nothing', namespaces({})],
    ['that introspects all', introspection({ policy: 'All' })],
    ['with a secret', secret({ key: 'client_id' })],
    ['with a generated secret', secret({ key: 'a'.repeat(244) }, { generate: true })],
    [
      'with its public keys',
      clientWithKey({ kid: 'a', use: 'sig', alg: 'EdDSA', 'x5t#S256': 'AA', x5c: ['AA'] }),
    ],
    ['with its keys at a URL', jwksURI('https://[::1]:8443/a/b%20c?p=q')],
    [
      'of one issuer with two audiences',
      clientWith({
        trustedIssuers: ['a', 'b'].map((audience) => ({
          authority: 'https://a.example',
          audience,
          ownerPrefix: 'a:',
        })),
      }),
    ],
    [
      'of issuers that differ by more than a slash at the end',
      clientWith({
        trustedIssuers: [
          ['https://a.example', 'a'],
          ['https://a.example/', 'b'],
          ['https://a.example//', 'a'],
        ].map(([authority, audience]) => ({ authority, audience, ownerPrefix: '' })),
      }),
    ],
    [
      'with an issuer in every detail',
      clientTrusting({
        ownerPrefix: 'ci:',
        requiredClaims: { a: '' },
        claims: many(64),
        caFile: '/etc/ca/ca.crt',
        additionalTypes: ['JOSE', 'id_token', 'application/example.v1+jwt'],
        oneTimeUse: true,
      }),
    ],
    [
      'of 64 ServiceAccounts',
      clientWith({ serviceAccounts: many(64).map((name) => ({ namespace: 'a', name })) }),
    ],
  ])('%s', (_, object) => expectAcceptance(api, object));
});
