import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { migrate } from '../../../operator/migrate/migrate.ts';
import { objectNameOf } from '../../../operator/migrate/migrate-client.ts';

const configuration = (client: object, signer: object = {}): string =>
  JSON.stringify({
    apis: { grpc: { address: '0.0.0.0:9100' } },
    oauthSigner: { domain: 'tokens.example.com', ownerClaim: 'sub', clients: [client], ...signer },
  });

const clientWithSecret = {
  id: 'nightly',
  secretFile: '/secrets/nightly',
  owner: 'nightly',
  accessTokenLifetime: '1h',
  allowedGrantTypes: ['client_credentials'],
};

interface Manifest {
  metadata: { name: string; namespace: string };
  spec: Record<string, unknown>;
}

const manifestsOf = (text: string): Manifest[] =>
  [...parseAllDocuments(text)]
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);

const specOf = (client: object, signer: object = {}): Record<string, unknown> =>
  manifestsOf(migrate(configuration(client, signer), 'team'))[0]?.spec ?? {};

test('a client with a secret becomes an OAuthClient that refers to a Secret, and the command that makes it', () => {
  const text = migrate(configuration({ ...clientWithSecret, allowedScopes: ['a', 'b', 'a'] }), 'team');
  expect(manifestsOf(text)).toEqual([
    {
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'OAuthClient',
      metadata: { name: 'nightly', namespace: 'team' },
      spec: {
        owner: 'nightly',
        accessTokenLifetime: '1h',
        allowedGrantTypes: ['client_credentials'],
        allowedScopes: ['a', 'b'],
        authentication: { clientSecret: { secretRef: { name: 'nightly-client', key: 'client_secret' } } },
      },
    },
  ]);
  expect(text).toContain("create secret generic nightly-client --from-literal=client_id='nightly'");
  expect(text).toContain("--from-file=client_secret='/secrets/nightly'");
});

test('a client of other issuers becomes one with trustedIssuers, whose secret counts no more', () => {
  const authorization = {
    audience: 'm2m',
    endpoints: [{ authority: 'https://a.example' }, { authority: 'https://b.example' }],
  };
  const text = migrate(
    configuration({ ...clientWithSecret, owner: '', jwtPrivateKey: { enabled: true, authorization } }),
    'team',
  );
  expect(manifestsOf(text)[0]?.spec).toMatchObject({
    authentication: {
      trustedIssuers: [
        { authority: 'https://a.example', audience: 'm2m', ownerPrefix: '' },
        { authority: 'https://b.example', audience: 'm2m', ownerPrefix: '' },
      ],
    },
  });
  expect(text).toContain('# its secretFile is left out');
});

test('an authority that is named twice, with a slash at its end or without, is trusted once', () => {
  const authorization = {
    authority: 'https://a.example/',
    endpoints: [
      { authority: 'https://a.example' },
      { authority: 'https://b.example' },
      { authority: null },
      {},
    ],
  };
  const spec = specOf({ ...clientWithSecret, jwtPrivateKey: { enabled: true, authorization } });
  expect(spec.authentication).toMatchObject({
    trustedIssuers: [{ authority: 'https://a.example/' }, { authority: 'https://b.example' }],
  });
});

describe('what a person has to check is listed above the manifest', () => {
  test.each([
    ['tokens that never expire', { accessTokenLifetime: 0 }, 'never expire'],
    [
      'an audience that is not checked',
      { jwtPrivateKey: { enabled: true, authorization: { authority: 'https://a.example' } } },
      'replace * by the audience',
    ],
    [
      'an issuer that differs by a slash, and assertions without exp',
      { jwtPrivateKey: { enabled: true, authorization: { authority: 'https://a.example' } } },
      'but for one slash at the end',
    ],
    ['no authority', { jwtPrivateKey: { enabled: true } }, 'names no authority'],
    [
      'a claim of the issuer',
      { insertTokenClaims: { iss: 'x', tenant: 'a' } },
      'insertTokenClaims.iss is left out',
    ],
    ['no way to get tokens', { secretFile: '' }, 'can get no tokens'],
  ])('%s', (_, fields, note) => {
    expect(migrate(configuration({ ...clientWithSecret, ...fields }), 'team')).toContain(note);
  });
});

test('claims are kept but for those of the issuer, the owner claim among them', () => {
  const insertTokenClaims = { iss: 'x', owner: 'x', tenant: { id: 1 } };
  const spec = specOf({ ...clientWithSecret, insertTokenClaims }, { ownerClaim: 'owner' });
  expect(spec.insertTokenClaims).toEqual({ tenant: { id: 1 } });
});

test.each([
  [5_400_000_000_000, '5400s'],
  [1_500_000_000, '1500000000ns'],
  ['1h30m', '1h30m'],
  [undefined, '0s'],
])('a lifetime of %j is %s', (accessTokenLifetime, text) => {
  expect(specOf({ ...clientWithSecret, accessTokenLifetime }).accessTokenLifetime).toBe(text);
});

describe('a file as Go reads it', () => {
  const yaml = (client: string): string =>
    `oauthSigner:\n  clients:\n    - ${client.replaceAll('\n', '\n      ')}\n`;
  const one = (client: string): Manifest | undefined => manifestsOf(migrate(yaml(client), 'team'))[0];

  test.each<[string, string]>([
    ['4711', '4711'],
    ['0815', '0815'],
    ['007', '007'],
    ['0x1F', '0x1F'],
    ['1e3', '1e3'],
    ['12345678901234567890', '12345678901234567890'],
    ['1.0', '1.0'],
    ['true', 'true'],
    ['"4711"', '4711'],
  ])('the ID %s is the text %s', (written, text) => {
    expect(one(`id: ${written}`)?.spec.clientID ?? one(`id: ${written}`)?.metadata.name).toBe(text);
  });

  test.each([
    'id: a\naccessTokenLifetime:',
    'id: a\naccessTokenLifetime: ~',
    'id: a\naccessTokenLifetime: 0',
  ])('a lifetime that is nothing is unbounded: %j', (client) => {
    expect(one(client)?.spec.accessTokenLifetime).toBe('0s');
  });

  test('a lifetime of a year in nanoseconds is exact', () => {
    expect(one('id: a\naccessTokenLifetime: 31536000000000001')?.spec.accessTokenLifetime).toBe(
      '31536000000000001ns',
    );
  });

  test('every other field may be null, and so may values of lists', () => {
    const fields = [
      'secretFile',
      'owner',
      'allowedGrantTypes',
      'allowedAudiences',
      'allowedScopes',
      'insertTokenClaims',
      'jwtPrivateKey',
    ];
    expect(one(`id: a\n${fields.map((field) => `${field}:`).join('\n')}`)?.spec).toMatchObject({
      allowedGrantTypes: [],
    });
    expect(
      one('id: a\njwtPrivateKey: {enabled: , authorization: }\nallowedScopes: [a, null, 7]')?.spec,
    ).toMatchObject({
      allowedScopes: ['a', '7'],
      authentication: { clientSecret: {} },
    });
  });

  test.each(['true', 'yes', 'on', 'True'])('a flag may be %s', (flag) => {
    expect(
      one(`id: a\njwtPrivateKey: {enabled: ${flag}, authorization: {authority: "https://a.example"}}`)?.spec,
    ).toHaveProperty('authentication.trustedIssuers');
  });

  test('merge keys are followed', () => {
    const text = 'base: &base\n  owner: nightly\noauthSigner:\n  clients:\n    - <<: *base\n      id: a\n';
    expect(manifestsOf(migrate(text, 'team'))[0]?.spec.owner).toBe('nightly');
  });

  test('claims keep their types, and a number that can not be signed exactly becomes a string, which is said', () => {
    const text = migrate(
      yaml(
        'id: a\ninsertTokenClaims: {tenant: 9007199254740993, list: [1, {n: -9007199254740993}], half: 0.5, ok: true, no: }',
      ),
      'team',
    );
    expect(manifestsOf(text)[0]?.spec.insertTokenClaims).toEqual({
      tenant: '9007199254740993',
      list: [1, { n: '-9007199254740993' }],
      half: 0.5,
      ok: true,
      no: null,
    });
    expect(text).toContain('# insertTokenClaims.tenant becomes a string');
    expect(text).toContain('# insertTokenClaims.list[1].n becomes a string');
  });
});

describe('secrets are never printed', () => {
  const SECRET = 'correct horse battery staple';
  const BASE64 = Buffer.from(SECRET).toString('base64');
  const isSecretIn = (text: string): boolean =>
    [SECRET, BASE64, encodeURIComponent(SECRET), BASE64.slice(0, 8)].some((form) => text.includes(form));

  test.each([
    [`data:;base64,${BASE64}`, 'base64 --decode'],
    [`data:text/plain;charset=utf-8;base64,${BASE64}`, 'base64 --decode'],
    [`DATA:;BASE64,${BASE64}`, 'base64 --decode'],
    [`data:,${encodeURIComponent(SECRET)}`, '%XX decoded'],
    [`data:${SECRET}`, 'not printed'],
  ])('in a secretFile of %j', (secretFile, advice) => {
    const text = migrate(configuration({ ...clientWithSecret, secretFile }), 'team');
    expect(isSecretIn(text)).toBe(false);
    expect(text).toContain(advice);
    expect(text).toContain('--from-file=client_secret=./client_secret');
    expect(manifestsOf(text)[0]?.spec.authentication).toEqual({
      clientSecret: { secretRef: { name: 'nightly-client', key: 'client_secret' } },
    });
  });

  test.each([
    `oauthSigner:\n  clients:\n    - id: a\n      secretFile: "data:;base64,${BASE64}\n`,
    `oauthSigner:\n  clients:\n    - id: a\n    secretFile: data:;base64,${BASE64}\n`,
    `oauthSigner: {clients: [{id: a, secretFile: *data:;base64,${BASE64}}]}`,
    `oauthSigner: {clients: [{id: [data:;base64,${BASE64}]}]}`,
    `oauthSigner: {clients: "data:;base64,${BASE64}"}`,
    `oauthSigner: {clients: [{id: a, secretFile: {"data:;base64,${BASE64}": 1}}]}`,
  ])('in the error about %j', (text) => {
    let message = '';
    try {
      migrate(text, 'team');
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/not a configuration of m2m-oauth-server|no YAML/u);
    expect(isSecretIn(message)).toBe(false);
  });
});

test.each([
  ['nightly', 'nightly'],
  ['Nightly_Job', 'nightly-job'],
  ['--', 'client'],
  ['taken', 'taken-2'],
])('the client ID %s is named %s', (clientID, name) => {
  expect(objectNameOf(clientID, new Set(['taken']))).toBe(name);
});

test('a client ID that is no name of an object is kept as spec.clientID', () => {
  expect(specOf({ ...clientWithSecret, id: 'Nightly_Job' }).clientID).toBe('Nightly_Job');
});

test('every field that is not as that server has it is named', () => {
  const bad = configuration({ ...clientWithSecret, id: '', allowedScopes: 'a' });
  expect(() => migrate(bad, 'team')).toThrow(
    /oauthSigner\.clients\.0\.id[\s\S]*oauthSigner\.clients\.0\.allowedScopes/u,
  );
});

test.each([-1, '1d', '1.5e9', 'never'])('a lifetime of %j is none', (accessTokenLifetime) => {
  expect(() => migrate(configuration({ ...clientWithSecret, accessTokenLifetime }), 'team')).toThrow(
    /clients\.0\.accessTokenLifetime: Invalid input: expected a duration/u,
  );
});

test('another file is rejected', () => {
  expect(() => migrate('kind: Pod', 'team')).toThrow('not a configuration of m2m-oauth-server');
});
