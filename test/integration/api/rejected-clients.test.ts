import { afterAll, describe, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { client, many } from './objects.ts';
import { expectRejection, type Rejection } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const claims = (insertTokenClaims: object) => client({ insertTokenClaims });
const labels = (n: number) => Object.fromEntries(many(n).map((name) => [name, 'x']));
const RESERVED =
  'iss sub aud exp nbf iat jti client_id scope name cnf act may_act originalTokenClaims m2moauth.dev/token'.split(
    ' ',
  );
const OBJECTS = ['cnf', 'act', 'may_act', 'originalTokenClaims'];

const shape: readonly Rejection[] = [
  ['without a spec', { ...client(), spec: undefined }, 'spec', 'Required'],
  ['with an empty clientID', client({ clientID: '' }), 'spec.clientID', '1 chars'],
  ['with a space in its clientID', client({ clientID: 'a b' }), 'spec.clientID', 'without spaces'],
  ['with a clientID beyond ASCII', client({ clientID: 'ä' }), 'spec.clientID', 'without spaces'],
  ['with a clientID of 254 characters', client({ clientID: 'a'.repeat(254) }), 'spec.clientID', '253'],
  ['with an empty issuer', client({ issuer: '' }), 'spec.issuer', '1 chars'],
  ['with an issuer that is no URL', client({ issuer: 'first' }), 'spec.issuer', 'the issuer URL of an'],
  ...['/', '?a', '#a', ' '].map(
    (end): Rejection => [
      `with an issuer that ends with "${end}"`,
      client({ issuer: `https://a.example/b${end}` }),
      'spec.issuer',
      'the issuer URL of an installation',
    ],
  ),
  ['without an owner', client({ owner: undefined }), 'spec.owner', 'trustedIssuers gives the owner'],
  [
    'without an owner and with no trusted issuer',
    client({ owner: undefined, authentication: { trustedIssuers: [] } }),
    'spec.owner',
    'trustedIssuers gives the owner',
  ],
  ['with an empty owner', client({ owner: '' }), 'spec.owner', '1 chars'],
  ['with a control character in its owner', client({ owner: 'a\u0000' }), 'spec.owner', 'control characters'],
  ['with an owner of 257 characters', client({ owner: 'a'.repeat(257) }), 'spec.owner', '256'],
  [
    'whose longest lifetime is no duration',
    client({ accessTokenLifetime: 'long' }),
    'spec.accessTokenLifetime',
    'such as 1h30m',
  ],
  [
    'whose longest lifetime is under a second',
    client({ accessTokenLifetime: '500ms' }),
    'spec.accessTokenLifetime',
    '0s or at least 1s',
  ],
  [
    'whose longest lifetime is negative',
    client({ accessTokenLifetime: '-1s' }),
    'spec.accessTokenLifetime',
    'such as 1h30m',
  ],
  [
    'with another grant type',
    client({ allowedGrantTypes: ['password'] }),
    'spec.allowedGrantTypes',
    'client_credentials',
  ],
  [
    'with an audience that has a space',
    client({ allowedAudiences: ['a b'] }),
    'spec.allowedAudiences',
    'without white space',
  ],
  [
    'with an audience twice',
    client({ allowedAudiences: ['a', 'a'] }),
    'spec.allowedAudiences[1]',
    'Duplicate',
  ],
  ['with 257 audiences', client({ allowedAudiences: many(257) }), 'spec.allowedAudiences', '256'],
  [
    'with a scope that has a space',
    client({ allowedScopes: ['a b'] }),
    'spec.allowedScopes',
    'one scope an entry',
  ],
  ['with a scope twice', client({ allowedScopes: ['a', 'a'] }), 'spec.allowedScopes[1]', 'Duplicate'],
  ['with 257 scopes', client({ allowedScopes: many(257) }), 'spec.allowedScopes', '256'],
  ['with another recording', client({ recording: 'None' }), 'spec.recording', 'Batched'],
  ['with 65 claims', claims(labels(65)), 'spec.insertTokenClaims', '64'],
  ['whose claims are a list', claims([]), 'spec.insertTokenClaims', 'object'],
];

const reserved: readonly Rejection[] = RESERVED.flatMap((name) => [
  [
    `that sets the claim ${name}`,
    claims({ [name]: OBJECTS.includes(name) ? { a: 1 } : 'a' }),
    'spec.insertTokenClaims',
    'that the issuer sets',
  ] as const,
  [
    `that sets the claim ${name} to a list`,
    claims({ [name]: ['a'] }),
    `spec.insertTokenClaims.${name}`,
    'must be of type',
  ] as const,
]);

describe('the API server rejects an OAuthClient', () => {
  test.each([...shape, ...reserved])('%s', (...rejection) => expectRejection(api, rejection));
});
