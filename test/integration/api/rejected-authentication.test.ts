import { afterAll, describe, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { clientTrusting, clientWith, clientWithKey, many } from './objects.ts';
import { expectRejection, type Rejection } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const secret = (ref: object, fields: object = {}) =>
  clientWith({ clientSecret: { secretRef: { name: 'a', ...ref }, ...fields } });
const jwksURI = (uri: string) => clientWith({ privateKeyJWT: { jwksURI: uri } });
const keys = (n: number) => clientWith({ privateKeyJWT: { jwks: { keys: Array(n).fill({ kty: 'EC' }) } } });
const account = (fields: object) =>
  clientWith({ serviceAccounts: [{ namespace: 'a', name: 'b', ...fields }] });
const labels = (n: number) => Object.fromEntries(many(n).map((name) => [name, 'x']));
const KEYS = 'spec.authentication.privateKeyJWT.jwks.keys';
const TRUSTED = 'spec.authentication.trustedIssuers';
const SECRET = 'spec.authentication.clientSecret.secretRef';

const authentication: readonly Rejection[] = [
  ['whose secret has no reference', clientWith({ clientSecret: {} }), SECRET, 'Required'],
  ['whose secret has no name', clientWith({ clientSecret: { secretRef: {} } }), `${SECRET}.name`, 'Required'],
  ['whose secret has a name that is none', secret({ name: 'A' }), `${SECRET}.name`, 'name of an object'],
  ['whose secret has a key that is none', secret({ key: 'a b' }), `${SECRET}.key`, 'key of a Secret'],
  ['whose secret key leaves no room for _previous', secret({ key: 'a'.repeat(245) }), `${SECRET}.key`, '244'],
  [
    'whose generated secret goes where the client ID does',
    secret({ key: 'client_id' }, { generate: true }),
    `${SECRET}.key`,
    'the client ID goes there',
  ],
  [
    'that signs with keys from nowhere',
    clientWith({ privateKeyJWT: {} }),
    'spec.authentication.privateKeyJWT.jwks',
    'either jwks or jwksURI',
  ],
  [
    'that signs with keys from two places',
    clientWith({ privateKeyJWT: { jwksURI: 'https://a.example', jwks: { keys: [{ kty: 'EC' }] } } }),
    'spec.authentication.privateKeyJWT.jwks',
    'either jwks or jwksURI',
  ],
  ['that signs with no key', keys(0), KEYS, 'at least 1 items'],
  ['that signs with 17 keys', keys(17), KEYS, '16'],
  ['that signs with a key of no type', clientWithKey({ kty: undefined }), KEYS, 'Required'],
  ['that signs with a symmetric key', clientWithKey({ kty: 'oct' }), KEYS, 'symmetric'],
  ['that signs with a key of an unknown type', clientWithKey({ kty: 'ec' }), KEYS, 'EC, RSA or OKP'],
  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].map(
    (name) =>
      [
        `that shows the private member ${name}`,
        clientWithKey({ [name]: 'AA' }),
        KEYS,
        'public keys',
      ] as const,
  ),
  ['that shows other primes', clientWithKey({ oth: [{ r: 'AA' }] }), KEYS, 'public keys'],
  ...[
    ['http', 'http://a.example/keys'],
    ['no scheme', 'a.example/keys'],
    ['a user name', 'https://a@b.example/keys'],
    ['a fragment', 'https://a.example/keys#a'],
    ['white space', 'https://a.example/a b'],
    ['a line feed at its end', 'https://a.example/\n'],
    ['no host', 'https:///keys'],
    ['a backslash', 'https://a.example\\b'],
    ['a broken escape', 'https://a.example/%zz'],
  ].map(
    ([what = '', uri = '']) =>
      [
        `whose keys are at a URL with ${what}`,
        jwksURI(uri),
        'spec.authentication.privateKeyJWT.jwksURI',
        'https URL',
      ] as const,
  ),
  [
    'that trusts http',
    clientTrusting({ authority: 'http://a.example' }),
    `${TRUSTED}[0].authority`,
    'https URL',
  ],
  [
    'that trusts a URL with a query',
    clientTrusting({ authority: 'https://a.example?b' }),
    `${TRUSTED}[0].authority`,
    'https URL',
  ],
  [
    'that trusts a URL with a fragment',
    clientTrusting({ authority: 'https://a.example/#b' }),
    `${TRUSTED}[0].authority`,
    'https URL',
  ],
  [
    'that trusts a URL with a user name',
    clientTrusting({ authority: 'https://a:b@c.example' }),
    `${TRUSTED}[0].authority`,
    'https URL',
  ],
  [
    'that trusts no authority',
    clientTrusting({ authority: undefined }),
    `${TRUSTED}[0].authority`,
    'Required',
  ],
  [
    'that trusts tokens for no audience',
    clientTrusting({ audience: undefined }),
    `${TRUSTED}[0].audience`,
    'Required',
  ],
  [
    'that trusts tokens for an empty audience',
    clientTrusting({ audience: '' }),
    `${TRUSTED}[0].audience`,
    '1 chars',
  ],
  [
    'whose issuer has no prefix',
    clientTrusting({ ownerPrefix: undefined }),
    TRUSTED,
    'ownerPrefix is required',
  ],
  ...[
    ['https://a.example', 'https://a.example/'],
    ['https://a.example/b/', 'https://a.example/b'],
  ].map(
    (authorities) =>
      [
        `that trusts ${authorities.join(' and ')}`,
        clientWith({
          trustedIssuers: authorities.map((authority) => ({ authority, audience: 'c', ownerPrefix: '' })),
        }),
        TRUSTED,
        'differ by a slash at the end',
      ] as const,
  ),
  [
    'whose second issuer has no prefix',
    clientWith({
      trustedIssuers: [
        { authority: 'https://a.example', audience: 'b', ownerPrefix: '' },
        { authority: 'https://b.example', audience: 'b' },
      ],
    }),
    TRUSTED,
    'ownerPrefix is required',
  ],
  [
    'whose issuer has a prefix of 129 characters',
    clientTrusting({ ownerPrefix: 'a'.repeat(129) }),
    `${TRUSTED}[0].ownerPrefix`,
    '128',
  ],
  [
    'whose issuer has 9 types',
    clientTrusting({ additionalTypes: many(9) }),
    `${TRUSTED}[0].additionalTypes`,
    '8',
  ],
  [
    'whose issuer has an empty type',
    clientTrusting({ additionalTypes: [''] }),
    `${TRUSTED}[0].additionalTypes`,
    '1 chars',
  ],
  [
    'whose issuer has a type with a space',
    clientTrusting({ additionalTypes: ['a b'] }),
    `${TRUSTED}[0].additionalTypes`,
    'media types',
  ],
  [
    'whose issuer has a prefix with a control character',
    clientTrusting({ ownerPrefix: 'a\t' }),
    `${TRUSTED}[0].ownerPrefix`,
    'control characters',
  ],
  [
    'whose issuer has 17 required claims',
    clientTrusting({ requiredClaims: labels(17) }),
    `${TRUSTED}[0].requiredClaims`,
    '16',
  ],
  ['whose issuer has 65 claims', clientTrusting({ claims: many(65) }), `${TRUSTED}[0].claims`, '64'],
  [
    'whose issuer has a claim twice',
    clientTrusting({ claims: ['a', 'a'] }),
    `${TRUSTED}[0].claims[1]`,
    'Duplicate',
  ],
  [
    'whose issuer has a relative CA file',
    clientTrusting({ caFile: 'ca.crt' }),
    `${TRUSTED}[0].caFile`,
    'absolute path',
  ],
  [
    'that trusts one issuer twice',
    clientWith({
      trustedIssuers: [1, 2].map(() => ({
        authority: 'https://a.example',
        audience: 'b',
        ownerPrefix: '',
      })),
    }),
    `${TRUSTED}[1]`,
    'Duplicate',
  ],
  [
    'that trusts 17 issuers',
    clientWith({
      trustedIssuers: many(17).map((name) => ({
        authority: `https://${name}.example`,
        audience: 'b',
        ownerPrefix: '',
      })),
    }),
    TRUSTED,
    '16',
  ],
  [
    'of a ServiceAccount without name',
    account({ name: undefined }),
    'spec.authentication.serviceAccounts[0].name',
    'Required',
  ],
  [
    'of a ServiceAccount without namespace',
    account({ namespace: undefined }),
    'spec.authentication.serviceAccounts[0].namespace',
    'Required',
  ],
  [
    'of a ServiceAccount with a name that is none',
    account({ name: 'A' }),
    'spec.authentication.serviceAccounts[0].name',
    'name of an object',
  ],
  [
    'of a ServiceAccount in a namespace that is none',
    account({ namespace: 'a.b' }),
    'spec.authentication.serviceAccounts[0].namespace',
    'name of a namespace',
  ],
  [
    'of one ServiceAccount twice',
    clientWith({ serviceAccounts: [1, 2].map(() => ({ namespace: 'a', name: 'b' })) }),
    'spec.authentication.serviceAccounts[1]',
    'Duplicate',
  ],
  [
    'of 65 ServiceAccounts',
    clientWith({ serviceAccounts: many(65).map((name) => ({ namespace: 'a', name })) }),
    'spec.authentication.serviceAccounts',
    '64',
  ],
];

describe('the API server rejects an OAuthClient', () => {
  test.each(authentication)('%s', (...rejection) => expectRejection(api, rejection));
});
