import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { migrate } from '../../../operator/migrate/migrate.ts';
import { type Ref, testApi } from '../../support/api.ts';
import { applyFiles } from '../../support/apply.ts';

/** What `migrate` prints is what the API server takes. */

const api = testApi();
let namespace: string;

beforeAll(async () => {
  await applyFiles(api, [join(import.meta.dirname, '../../../crds')]);
  namespace = await api.createNamespace();
});

const CONFIGURATION = `
oauthSigner:
  domain: tokens.example.com
  ownerClaim: owner
  clients:
    - id: Nightly_Job
      secretFile: /secrets/nightly
      owner: nightly
      accessTokenLifetime: 1h30m
      allowedGrantTypes: [client_credentials]
      allowedAudiences: [https://api.example.com]
      allowedScopes: [r:a, w:a]
      insertTokenClaims: {tenant: a, levels: [1, 2], y: 1}
    - id: 4711
      secretFile: "data:;base64,c2VjcmV0"
      owner: numbers
      accessTokenLifetime:
      allowedGrantTypes: [client_credentials]
      insertTokenClaims: {tenant: 9007199254740993}
    - id: ci
      accessTokenLifetime: 0s
      allowedGrantTypes: [client_credentials]
      jwtPrivateKey:
        enabled: true
        authorization:
          audience: m2m
          endpoints:
            - authority: https://ci.example.com
`;

test('every OAuthClient that a migration prints is accepted as it is', async () => {
  const documents = parseAllDocuments(migrate(CONFIGURATION, namespace), { version: '1.1' });
  const manifests = [...documents]
    .map((document) => document.toJS() as Ref | null)
    .filter((ref) => ref !== null);
  expect(manifests).toHaveLength(3);
  for (const manifest of manifests) {
    const { status, body } = await api.create(manifest, { query: { fieldValidation: 'Strict' } });
    expect({ status, message: body.message, claims: body.spec?.insertTokenClaims }).toEqual({
      status: 201,
      message: undefined,
      claims: (manifest.spec as { insertTokenClaims?: object }).insertTokenClaims,
    });
  }
});
