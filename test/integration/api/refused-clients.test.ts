import { afterAll, describe, expect, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { client, clientTrusting, clientWith, clientWithKey, many } from './objects.ts';
import { expectRefusal, type Refusal } from './refusal.ts';

const api = testApi();
afterAll(api.close);

const RESERVED =
  'iss sub aud exp nbf iat jti client_id scope name cnf act may_act originalTokenClaims m2moauth.dev/token'.split(
    ' ',
  );
const claims = (insertTokenClaims: object) => client({ insertTokenClaims });
const namespaces = (allowedNamespaces: object) => client({ allowedNamespaces });
const selector = (fields: object) => namespaces({ from: 'Selector', selector: fields });
const expression = (fields: object) =>
  selector({ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'], ...fields }] });
const introspection = (fields: object) => client({ introspection: fields });
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

const shape: readonly Refusal[] = [
  ['without a spec', { ...client(), spec: undefined }, 'spec', 'Required'],
  ['with an empty clientID', client({ clientID: '' }), 'spec.clientID', '1 chars'],
  ['with a space in its clientID', client({ clientID: 'a b' }), 'spec.clientID', 'without spaces'],
  ['with a clientID beyond ASCII', client({ clientID: 'ä' }), 'spec.clientID', 'without spaces'],
  ['with a clientID of 254 characters', client({ clientID: 'a'.repeat(254) }), 'spec.clientID', '253'],
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

const OBJECTS = ['cnf', 'act', 'may_act', 'originalTokenClaims'];
const reserved: readonly Refusal[] = RESERVED.flatMap((name) => [
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

const policies: readonly Refusal[] = [
  [
    'allowing other namespaces than there are ways to say',
    namespaces({ from: 'Some' }),
    'spec.allowedNamespaces.from',
    'Selector',
  ],
  [
    'with from: Selector and no selector',
    namespaces({ from: 'Selector' }),
    'spec.allowedNamespaces.selector',
    'with from: Selector',
  ],
  [
    'with a selector and from: All',
    namespaces({ from: 'All', selector: {} }),
    'spec.allowedNamespaces.selector',
    'with from: Selector',
  ],
  [
    'with a selector and no from',
    namespaces({ selector: {} }),
    'spec.allowedNamespaces.selector',
    'with from: Selector',
  ],
  [
    'selecting by a value that no label has',
    selector({ matchLabels: { a: 'b c' } }),
    'spec.allowedNamespaces.selector.matchLabels',
    'label values',
  ],
  [
    'selecting by a key that no label has',
    selector({ matchLabels: { 'a b': 'c' } }),
    'spec.allowedNamespaces.selector.matchLabels',
    'keys such as',
  ],
  [
    'selecting by 33 labels',
    selector({ matchLabels: labels(33) }),
    'spec.allowedNamespaces.selector.matchLabels',
    '32',
  ],
  [
    'selecting by an unknown operator',
    expression({ operator: 'Like' }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'NotIn',
  ],
  [
    'selecting by In without values',
    expression({ values: undefined }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'values must be given',
  ],
  [
    'selecting by NotIn with no value',
    expression({ operator: 'NotIn', values: [] }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'values must be given',
  ],
  [
    'selecting by Exists with values',
    expression({ operator: 'Exists' }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'values must be given',
  ],
  [
    'selecting by a condition on no key',
    expression({ key: '' }),
    'spec.allowedNamespaces.selector.matchExpressions',
    '1 chars',
  ],
  [
    'selecting by a condition on a key that is none',
    expression({ key: 'a/' }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'label key',
  ],
  [
    'selecting by a value of a condition that is none',
    expression({ values: ['-'] }),
    'spec.allowedNamespaces.selector.matchExpressions',
    'label values',
  ],
  [
    'introspecting by another policy',
    introspection({ policy: 'Some' }),
    'spec.introspection.policy',
    'Audience',
  ],
  [
    'introspecting by audience without audiences',
    introspection({ policy: 'Audience' }),
    'spec.introspection.audiences',
    'with policy: Audience',
  ],
  [
    'introspecting by audience with no audience',
    introspection({ policy: 'Audience', audiences: [] }),
    'spec.introspection.audiences',
    'with policy: Audience',
  ],
  [
    'introspecting all with audiences',
    introspection({ policy: 'All', audiences: ['a'] }),
    'spec.introspection.audiences',
    'with policy: Audience',
  ],
  [
    'introspecting its own with audiences',
    introspection({ audiences: ['a'] }),
    'spec.introspection.audiences',
    'with policy: Audience',
  ],
  [
    'introspecting by an audience with a space',
    introspection({ policy: 'Audience', audiences: ['a b'] }),
    'spec.introspection.audiences',
    'without white space',
  ],
];

const authentication: readonly Refusal[] = [
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
  ['that trusts nobody', clientTrusting({ authority: undefined }), `${TRUSTED}[0].authority`, 'Required'],
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
    'whose issuer has an empty prefix',
    clientTrusting({ ownerPrefix: '' }),
    `${TRUSTED}[0].ownerPrefix`,
    '1 chars',
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
    clientWith({ trustedIssuers: [1, 2].map(() => ({ authority: 'https://a.example', audience: 'b' })) }),
    `${TRUSTED}[1]`,
    'Duplicate',
  ],
  [
    'that trusts 17 issuers',
    clientWith({
      trustedIssuers: many(17).map((name) => ({ authority: `https://${name}.example`, audience: 'b' })),
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

describe('the API server refuses an OAuthClient', () => {
  test.each([...shape, ...reserved, ...policies, ...authentication])('%s', (...refusal) =>
    expectRefusal(api, refusal),
  );
});

describe('the API server accepts an OAuthClient', () => {
  test.each([
    ['with an owner alone', client()],
    ['with a clientID of every visible ASCII character', client({ clientID: 'https://a.example/?!~"\\' })],
    [
      'without owner, with a trusted issuer',
      client({
        owner: undefined,
        authentication: { trustedIssuers: [{ authority: 'https://a.example/b/', audience: '*' }] },
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
        trustedIssuers: ['a', 'b'].map((audience) => ({ authority: 'https://a.example', audience })),
      }),
    ],
    [
      'with an issuer in every detail',
      clientTrusting({
        ownerPrefix: 'ci:',
        requiredClaims: { a: '' },
        claims: many(64),
        caFile: '/etc/ca/ca.crt',
      }),
    ],
    [
      'of 64 ServiceAccounts',
      clientWith({ serviceAccounts: many(64).map((name) => ({ namespace: 'a', name })) }),
    ],
  ])('%s', async (_, object) => {
    const { status, body } = await api.create(object, {
      query: { dryRun: 'All', fieldValidation: 'Strict' },
    });
    expect({ status, message: body.message }).toEqual({ status: 201, message: undefined });
  });
});
