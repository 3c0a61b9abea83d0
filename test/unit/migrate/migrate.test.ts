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

describe('what a person has to check is listed above the manifest', () => {
  test.each([
    ['tokens that never expire', { accessTokenLifetime: 0 }, 'never expire'],
    [
      'an audience that is not checked',
      { jwtPrivateKey: { enabled: true, authorization: { authority: 'https://a.example' } } },
      'replace * by the audience',
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

test('another file is rejected', () => {
  expect(() => migrate('kind: Pod', 'team')).toThrow('not a configuration of m2m-oauth-server');
});
