import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as oauth from 'oauth4webapi';
import { AUDIENCE, makeOddClient } from '../../clients/http-clients.ts';
import { METHODS, type Method, type MethodServer, startMethodServer } from '../../clients/http-methods.ts';
import type { TrustingFetch } from '../../clients/http-server.ts';
import { type Installation, install } from '../../support/installation.ts';

/** oauth4webapi: each request and each answer on its own, and its verifier of JWT access tokens (RFC 9068). */

let installation: Installation;
let env: MethodServer;
let server: oauth.AuthorizationServer;
let transport: { [oauth.customFetch]: TrustingFetch };

const discover = async (algorithm: 'oidc' | 'oauth2'): Promise<oauth.AuthorizationServer> => {
  const issuer = new URL(env.server.issuer);
  return oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm, ...transport }),
  );
};

beforeAll(async () => {
  installation = await install();
  env = await startMethodServer(installation, oauth);
  transport = { [oauth.customFetch]: env.server.fetch };
  server = await discover('oauth2');
}, 180_000);
afterAll(async () => {
  await env?.close();
  await installation?.close();
});

const grant = async (
  method: Method,
  parameters: Record<string, string> | string[][],
): Promise<oauth.TokenEndpointResponse> => {
  const { id, auth } = env.callers[method];
  const client = { client_id: id };
  const answer = await oauth.clientCredentialsGrantRequest(server, client, auth, parameters, transport);
  return oauth.processClientCredentialsResponse(server, client, answer);
};

const introspect = async (method: Method, jwt: string): Promise<oauth.IntrospectionResponse> => {
  const { id, auth } = env.callers[method];
  const client = { client_id: id };
  const answer = await oauth.introspectionRequest(server, client, auth, jwt, transport);
  return oauth.processIntrospectionResponse(server, client, answer);
};

const revoke = async (method: Method, jwt: string): Promise<void> => {
  const { id, auth } = env.callers[method];
  const answer = await oauth.revocationRequest(server, { client_id: id }, auth, jwt, transport);
  return oauth.processRevocationResponse(answer);
};

const verify = (jwt: string, audience = AUDIENCE): Promise<oauth.JWTAccessTokenClaims> => {
  const request = new Request('https://api.example.com/', { headers: { authorization: `Bearer ${jwt}` } });
  return oauth.validateJwtAccessToken(server, request, audience, transport);
};

describe('oauth4webapi, discovery', () => {
  test('the documents of OpenID Connect and of RFC 8414 name the same endpoints', async () => {
    const { token_endpoint, introspection_endpoint, revocation_endpoint, jwks_uri } = await discover('oidc');
    expect(server).toMatchObject({ token_endpoint, introspection_endpoint, revocation_endpoint, jwks_uri });
    expect(token_endpoint).toBe(`${env.server.issuer}/oauth/token`);
  });

  test('the document is rejected under another name of the same server', async () => {
    const other = new URL(env.server.otherURL);
    const answer = await oauth.discoveryRequest(other, transport);
    await expect(oauth.processDiscoveryResponse(other, answer)).rejects.toMatchObject({
      code: oauth.JSON_ATTRIBUTE_COMPARISON,
    });
  });
});

describe.each(METHODS)('oauth4webapi, by %s', (method) => {
  test('gets a token that its own verifier accepts', async () => {
    const { access_token: jwt, ...answer } = await grant(method, { audience: AUDIENCE });
    expect(answer).toEqual({ token_type: 'bearer', expires_in: expect.any(Number), scope: 'read write' });
    const claims = await verify(jwt);
    expect(claims).toMatchObject({ client_id: env.callers[method].id, scope: 'read write' });
    await expect(verify(jwt, 'https://elsewhere.example.com')).rejects.toThrow();
  });

  test('sees its token end', async () => {
    const { access_token: jwt } = await grant(method, { audience: AUDIENCE });
    expect(await introspect(method, jwt)).toMatchObject({ active: true, token_type: expect.any(String) });
    await revoke(method, jwt);
    expect(await introspect(method, jwt)).toEqual({ active: false });
    // Offline it can't be known: that is what introspection is for.
    expect(await verify(jwt)).toBeDefined();
  });
});

describe('oauth4webapi, resource indicators (RFC 8707)', () => {
  test('the resource becomes the audience', async () => {
    const { access_token: jwt } = await grant('client_secret_basic', [['resource', AUDIENCE]]);
    expect((await verify(jwt)).aud).toEqual([AUDIENCE]);
  });

  test('the same one twice is one', async () => {
    const twice = [
      ['resource', AUDIENCE],
      ['resource', AUDIENCE],
    ];
    const { access_token: jwt } = await grant('client_secret_basic', twice);
    expect((await verify(jwt)).aud).toEqual([AUDIENCE]);
  });

  test('a parameter that may not repeat is rejected (RFC 6749 §3.2)', async () => {
    const twice = [
      ['scope', 'read'],
      ['scope', 'write'],
      ['audience', AUDIENCE],
    ];
    await expect(grant('client_secret_basic', twice)).rejects.toMatchObject({
      status: 400,
      error: 'invalid_request',
    });
  });
});

describe('oauth4webapi, limits', () => {
  test('sees that its client has reached one, and when to try again', async () => {
    const place = { api: installation.api, namespace: await installation.api.createNamespace('limited') };
    const limited = await makeOddClient(place, { limits: { tokensPerSecond: 1, burst: 1 } });
    const client = { client_id: limited.id };
    const auth = oauth.ClientSecretPost(limited.secret);
    const request = async () =>
      oauth.processClientCredentialsResponse(
        server,
        client,
        await oauth.clientCredentialsGrantRequest(server, client, auth, { audience: AUDIENCE }, transport),
      );
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, request));
    const rejected = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(rejected.length).toBeGreaterThan(0);
    for (const { status, error, response } of rejected) {
      expect({ status, error, retryAfter: Number(response.headers.get('retry-after')) }).toEqual({
        status: 429,
        error: 'temporarily_unavailable',
        retryAfter: expect.any(Number),
      });
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
  });
});

describe('oauth4webapi, private_key_jwt', () => {
  test('an assertion is accepted for one token', async () => {
    const { id, auth } = env.callers.private_key_jwt;
    const parameters = new URLSearchParams();
    await auth(server, { client_id: id }, parameters, new Headers());
    const replay: oauth.ClientAuth = (_as, _client, body) => {
      for (const [name, value] of parameters) body.set(name, value);
    };
    const ask = async (): Promise<oauth.TokenEndpointResponse> => {
      const client = { client_id: id };
      const answer = await oauth.clientCredentialsGrantRequest(
        server,
        client,
        replay,
        { audience: AUDIENCE },
        transport,
      );
      return oauth.processClientCredentialsResponse(server, client, answer);
    };
    await expect(ask()).resolves.toMatchObject({ token_type: 'bearer' });
    await expect(ask()).rejects.toMatchObject({ status: 401 });
  });
});
