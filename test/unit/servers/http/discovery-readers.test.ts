import { expect, test } from '@jest/globals';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { ISSUER_URL, openServerEnv } from './server-env.ts';

/** What readers of the discovery document ask of it (decision 0023). */

type Document = Readonly<Record<string, unknown>>;

const served = async (): Promise<Document> => {
  await using env = await openServerEnv();
  const response = await fetch(`${env.url}/.well-known/openid-configuration`);
  return (await response.json()) as Document;
};

/** As it is, and without the list of response types. */
const forms = async (): Promise<readonly Document[]> => {
  const document = await served();
  const { response_types_supported: types, ...rest } = document;
  expect(types).toEqual([]);
  return [document, rest];
};

const answering = (document: Document) => async (): Promise<Response> => Response.json(document);

test('oauth4webapi reads it', async () => {
  const issuer = new URL(ISSUER_URL);
  for (const document of await forms()) {
    for (const algorithm of ['oidc', 'oauth2'] as const) {
      const options = { algorithm, [oauth.customFetch]: answering(document) };
      const response = await oauth.discoveryRequest(issuer, options);
      expect(await oauth.processDiscoveryResponse(issuer, response)).toMatchObject({ issuer: ISSUER_URL });
    }
  }
});

test('openid-client reads it', async () => {
  for (const document of await forms()) {
    for (const algorithm of ['oidc', 'oauth2'] as const) {
      const options = { algorithm, [openid.customFetch]: answering(document) };
      const found = await openid.discovery(new URL(ISSUER_URL), 'id', 'secret', undefined, options);
      expect(found.serverMetadata()).toMatchObject({ token_endpoint: `${ISSUER_URL}/oauth/token` });
    }
  }
});

test('Spring Security and Nimbus find what they require', async () => {
  const isURL = (value: unknown): boolean => typeof value === 'string' && URL.canParse(value);
  const document = await served();
  for (const member of ['issuer', 'jwks_uri', 'token_endpoint']) expect(isURL(document[member])).toBe(true);
  // Each list that is there has texts; these two are never empty.
  for (const [member, value] of Object.entries(document)) {
    if (!member.endsWith('_supported')) continue;
    expect(value).toEqual(expect.any(Array));
    expect((value as unknown[]).every((item) => typeof item === 'string')).toBe(true);
  }
  expect(document.subject_types_supported).toEqual(['public']);
  expect(document.id_token_signing_alg_values_supported).not.toEqual([]);
});

test('it has every member that OpenID Connect Discovery 1.0 §3 and RFC 8414 §2 require of an issuer without an authorization endpoint', async () => {
  const required = [
    'issuer',
    'token_endpoint',
    'jwks_uri',
    'response_types_supported',
    'subject_types_supported',
    'id_token_signing_alg_values_supported',
  ];
  expect(Object.keys(await served())).toEqual(expect.arrayContaining(required));
});
