import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as openid from 'openid-client';
import { AUDIENCE } from '../../clients/http-clients.ts';
import { METHODS, type Method, type MethodServer, startMethodServer } from '../../clients/http-methods.ts';
import { type Installation, install } from '../../support/installation.ts';

/** openid-client, which knows the issuer's URL, a client, and what OAuth says; in its strict mode: https alone. */

let installation: Installation;
let env: MethodServer;

beforeAll(async () => {
  installation = await install();
  env = await startMethodServer(installation, openid);
}, 180_000);
afterAll(async () => {
  await env?.close();
  await installation?.close();
});

type Algorithm = 'oidc' | 'oauth2';

const discover = (
  id: string,
  auth: openid.ClientAuth,
  algorithm: Algorithm = 'oidc',
): Promise<openid.Configuration> => {
  const { issuer, fetch } = env.server;
  const options = { algorithm, [openid.customFetch]: fetch };
  return openid.discovery(new URL(issuer), id, undefined, auth, options);
};

const configurationOf = (method: Method): Promise<openid.Configuration> => {
  const { id, auth } = env.callers[method];
  return discover(id, auth);
};

/** How a call was rejected. @throws Error where it was not */
const rejectionOf = async (call: Promise<unknown>): Promise<unknown> => {
  const answer = await call.then(
    () => 'it was not rejected',
    (error: unknown) => error,
  );
  if (!(answer instanceof Error)) throw new Error(String(answer));
  return answer;
};

describe.each<Algorithm>(['oidc', 'oauth2'])('openid-client, discovery as %s', (algorithm) => {
  test('finds every endpoint under the issuer', async () => {
    const config = await discover('anyone', openid.None(), algorithm);
    const { issuer } = env.server;
    expect(config.serverMetadata()).toMatchObject({
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      token_endpoint: `${issuer}/oauth/token`,
      introspection_endpoint: `${issuer}/oauth/introspect`,
      revocation_endpoint: `${issuer}/oauth/revoke`,
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: expect.arrayContaining([
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
      ]),
    });
  });
});

describe.each(METHODS)('openid-client, by %s', (method) => {
  let config: openid.Configuration;
  let token: Awaited<ReturnType<typeof openid.clientCredentialsGrant>>;

  beforeAll(async () => {
    config = await configurationOf(method);
    token = await openid.clientCredentialsGrant(config, { scope: 'read', audience: AUDIENCE });
  });

  test('gets a token', () => {
    expect(token).toMatchObject({ token_type: 'bearer', scope: 'read' });
    expect(token.expiresIn()).toBeGreaterThan(3500);
    expect(token.refresh_token).toBeUndefined();
  });

  test('introspects the token', async () => {
    const { id, owner } = env.callers[method];
    expect(await openid.tokenIntrospection(config, token.access_token)).toMatchObject({
      active: true,
      iss: env.server.issuer,
      client_id: id,
      scope: 'read',
      aud: [AUDIENCE],
      sub: owner,
    });
  });

  test('reaches the gateway with the token', async () => {
    const url = new URL(`${env.server.issuer}/api/v1/tokens`);
    const answer = await openid.fetchProtectedResource(config, token.access_token, url, 'GET');
    expect(answer.status).toBe(200);
    expect(JSON.parse((await answer.text()).split('\n')[0] ?? '')).toMatchObject({
      result: { owner: env.callers[method].owner },
    });
  });

  test('revokes the token, and gets no more in response than that', async () => {
    await openid.tokenRevocation(config, token.access_token, { token_type_hint: 'access_token' });
    expect(await openid.tokenIntrospection(config, token.access_token)).toEqual({ active: false });
  });

  test('may revoke it again, and what was never a token', async () => {
    await openid.tokenRevocation(config, token.access_token);
    await openid.tokenRevocation(config, 'never-a-token');
  });
});

describe('openid-client, rejected', () => {
  const CHALLENGE = 'OAUTH_WWW_AUTHENTICATE_CHALLENGE';

  test.each([
    ['a wrong secret by Basic', openid.ClientSecretBasic('guessed')],
    ['no secret at all', openid.None()],
    ['an HMAC of the secret, which the metadata does not list', openid.ClientSecretJwt('guessed')],
  ])('%s is a challenge', async (_, auth) => {
    const config = await discover(env.callers.client_secret_basic.id, auth);
    const rejection = await rejectionOf(openid.clientCredentialsGrant(config, { audience: AUDIENCE }));
    expect(rejection).toMatchObject({ code: CHALLENGE, status: 401, cause: [{ scheme: 'basic' }] });
  });

  test.each([
    ['a scope', { scope: 'everything', audience: AUDIENCE }, 'invalid_scope'],
    ['an audience', { audience: 'https://elsewhere.example.com' }, 'invalid_target'],
    ['a resource (RFC 8707)', { resource: 'https://elsewhere.example.com' }, 'invalid_target'],
  ])('%s that the client does not allow', async (_, parameters, error) => {
    const config = await configurationOf('client_secret_basic');
    const rejection = await rejectionOf(openid.clientCredentialsGrant(config, parameters));
    expect(rejection).toMatchObject({ code: 'OAUTH_RESPONSE_BODY_ERROR', status: 400, error });
  });

  test('a grant that is not offered', async () => {
    const config = await configurationOf('client_secret_basic');
    const rejection = await rejectionOf(openid.refreshTokenGrant(config, 'refresh'));
    expect(rejection).toMatchObject({ status: 400, error: 'unsupported_grant_type' });
  });

  test('introspection without client authentication', async () => {
    const config = await discover(env.callers.client_secret_basic.id, openid.ClientSecretPost('guessed'));
    expect(await rejectionOf(openid.tokenIntrospection(config, 'token'))).toMatchObject({ status: 401 });
  });

  test("the gateway, to a token that isn't one", async () => {
    const config = await configurationOf('client_secret_basic');
    const url = new URL(`${env.server.issuer}/api/v1/tokens`);
    const rejection = await rejectionOf(openid.fetchProtectedResource(config, 'guessed', url, 'GET'));
    expect(rejection).toMatchObject({ code: CHALLENGE, status: 401, cause: [{ scheme: 'bearer' }] });
  });

  test('to revoke a token of another client, which stays valid', async () => {
    const owner = await configurationOf('private_key_jwt');
    const other = await configurationOf('client_secret_basic');
    const { access_token: jwt } = await openid.clientCredentialsGrant(owner, { audience: AUDIENCE });
    await openid.tokenRevocation(other, jwt).catch(() => undefined);
    expect(await openid.tokenIntrospection(owner, jwt)).toMatchObject({ active: true });
    expect(await openid.tokenIntrospection(other, jwt)).toEqual({ active: false });
  });
});
