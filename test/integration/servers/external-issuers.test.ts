import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { uuidV5 } from '../../../operator/domain/token/declared-token.ts';
import { bodyOf } from '../../support/api.ts';
import {
  assertionClaims,
  JWT_BEARER,
  type OpenIDProvider,
  startOpenIDProvider,
} from '../../support/assertions.ts';
import { connectGrpc, type GrpcClient } from '../../support/grpc.ts';
import {
  GROUP_VERSION,
  type Installation,
  install,
  oauthClient,
  SYSTEM,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import {
  AUDIENCE,
  createToken,
  ISSUER,
  idOf,
  makeClient,
  payloadOf,
  type TestClient,
} from './oauth-clients.ts';

/** What JWTs of external issuers may do, as bearers and as assertions: by the compiled operator and a real API server. */

let installation: Installation;
let namespace: string;
let provider: OpenIDProvider;
let operator: OperatorProcess;
let grpc: GrpcClient;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('external');
  provider = await startOpenIDProvider();
  const { authority, https } = provider;
  operator = await installation.operator({
    config: {
      issuer: { deviceIDClaim: 'device' },
      outbound: { allowedCIDRs: ['127.0.0.0/8'], caFile: https.caFile },
      authorization: {
        endpoints: [
          { authority, audience: 'bearers', ownerPrefix: 'idp:' },
          { authority, audience: 'both', alsoAssertions: true },
        ],
      },
    },
  });
  await operator.ready();
  grpc = await connectGrpc(operator);
}, 900_000);

afterAll(async () => {
  grpc?.close();
  await provider?.[Symbol.asyncDispose]();
  await installation?.close();
});

const trusting = (audience: string, extra: object = {}, until = 'Verified'): Promise<TestClient> =>
  makeClient(installation, namespace, {
    data: undefined,
    until,
    spec: {
      owner: undefined,
      authentication: {
        trustedIssuers: [{ authority: provider.authority, audience, ownerPrefix: 'idp:', ...extra }],
      },
    },
  });

/** A JWT of the provider. */
const jwtFor = (aud: unknown, { typ, ...changes }: { typ?: string } & Record<string, unknown> = {}) =>
  provider.signer.sign(
    assertionClaims(provider.authority, '', { sub: 'dave', aud, ...changes }),
    typ === undefined ? {} : { typ },
  );

const useAsAssertion = (client: TestClient, assertion: string) =>
  grpc.createToken({
    grantType: 'client_credentials',
    clientId: client.id,
    clientAssertionType: JWT_BEARER,
    clientAssertion: assertion,
    audience: [AUDIENCE],
  });

const isAccepted = async (answer: Promise<unknown>): Promise<boolean> => {
  try {
    await answer;
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 16 });
    return false;
  }
};
const isAssertion = (client: TestClient, jwt: string) => isAccepted(useAsAssertion(client, jwt));
const isBearer = (jwt: string) => isAccepted(grpc.getTokens(`Bearer ${jwt}`));

test('an endpoint without ownerPrefix is named in a warning at the start', () => {
  const warnings = operator.log.filter(({ level }) => level === 'warn').map(({ message }) => message);
  expect(warnings.filter((message) => message.includes('ownerPrefix'))).toEqual([
    expect.stringMatching(/^authorization\.endpoints\[1\]\.ownerPrefix is missing/u),
  ]);
});

describe('a JWT', () => {
  let client: TestClient;
  beforeAll(async () => {
    client = await trusting('m2m');
  });

  test.each<[string | undefined, Record<string, unknown>, boolean]>([
    [undefined, {}, true],
    ['JWT', {}, true],
    ['at+jwt', {}, true],
    ['application/at+jwt', {}, true],
    ['logout+jwt', {}, false],
    ['secevent+jwt', {}, false],
    ['dpop+jwt', {}, false],
    ['client-authentication+jwt', {}, false],
    ['JWT', { at_hash: 'x' }, false],
    [undefined, { events: {} }, false],
  ])('of type %j with the claims %j is bearer or assertion: %j', async (typ, claims, expected) => {
    const more = { ...claims, ...(typ !== undefined && { typ }) };
    expect(await isAssertion(client, await jwtFor('m2m', more))).toBe(expected);
    expect(await isBearer(await jwtFor('bearers', more))).toBe(expected);
  });

  test('is not both, whatever its audiences', async () => {
    const jwt = await jwtFor(['m2m', 'bearers']);
    expect(await isBearer(jwt)).toBe(true);
    expect(await isAssertion(client, jwt)).toBe(false);
    const assertion = await jwtFor('m2m');
    expect(await isAssertion(client, assertion)).toBe(true);
    expect(await isBearer(assertion)).toBe(false);
  });

  test('is both where the configuration says so', async () => {
    const other = await trusting('both');
    const jwt = await jwtFor('both');
    expect(await isBearer(jwt)).toBe(true);
    expect(await isAssertion(other, jwt)).toBe(true);
  });

  test('is no assertion of a client that trusts the audience of bearers', async () => {
    const other = await trusting('bearers', {}, 'IssuerNotAllowed');
    expect(await isAssertion(other, await jwtFor('bearers'))).toBe(false);
  });

  test('gives the token its device ID, in the claim that the configuration names', async () => {
    const { accessToken } = await useAsAssertion(client, await jwtFor('m2m', { device: 'd-1' }));
    expect(payloadOf(accessToken)).toMatchObject({ device: 'd-1', sub: 'idp:dave' });
    const other = await useAsAssertion(client, await jwtFor('m2m'));
    expect(payloadOf(other.accessToken)).not.toHaveProperty('device');
    expect(await isAssertion(client, await jwtFor('m2m', { device: 7 }))).toBe(false);
  });

  test('gives a token that is recorded under its own jti, once, if it is for one use', async () => {
    const once = await trusting('m2m', { oneTimeUse: true });
    const jwt = await jwtFor('m2m');
    const { accessToken } = await useAsAssertion(once, jwt);
    const { metadata } = bodyOf(await installation.api.get(oauthClient(once.name, namespace)));
    const id = uuidV5(String(metadata.uid), JSON.stringify([provider.authority, payloadOf(jwt).jti]));
    expect(idOf(accessToken)).toBe(id);
    const record = { apiVersion: GROUP_VERSION, kind: 'IssuedToken', metadata: { name: id, namespace } };
    expect(bodyOf(await installation.api.get(record)).spec.owner).toBe('idp:dave');
    expect(await isAssertion(once, jwt)).toBe(false);
    bodyOf(await installation.api.delete(record));
    expect(await isAssertion(once, jwt)).toBe(false);
    expect(await isAssertion(once, await jwtFor('m2m'))).toBe(true);
    expect(await isAssertion(once, await jwtFor('m2m', { jti: undefined }))).toBe(false);
    // For the client without the setting it still is what it was.
    expect(await isAssertion(client, jwt)).toBe(true);
    expect(await isAssertion(client, jwt)).toBe(true);
  });
});

describe('an issuer that ends with a slash in its discovery document', () => {
  test('gives assertions and bearers with either form as iss, and without exp the caller learns what is missing', async () => {
    await using other = await startOpenIDProvider();
    const { authority } = other;
    other.https.serve('/.well-known/openid-configuration', {
      issuer: `${authority}/`,
      jwks_uri: `${authority}/jwks`,
    });
    const client = await trusting('m2m', { authority, caFile: other.https.caFile });
    expect(await isAssertion(client, await other.issue('m2m', { iss: `${authority}/` }))).toBe(true);
    expect(await isAssertion(client, await other.issue('m2m'))).toBe(true);
    expect(await isAssertion(client, await other.issue('m2m', { iss: `${authority}//` }))).toBe(false);
    await expect(useAsAssertion(client, await other.issue('m2m', { exp: undefined }))).rejects.toMatchObject({
      code: 16,
      details: expect.stringContaining('it has no exp, which is required'),
    });
  });
});

describe('a token of this issuer is no assertion', () => {
  test('of a client that trusts this issuer by its URL', async () => {
    const source = await makeClient(installation, namespace);
    const own = await createToken(grpc, source, { audience: [ISSUER] });
    const client = await trusting(ISSUER, { authority: ISSUER }, 'IssuerNotAllowed');
    expect(await isAssertion(client, own)).toBe(false);
    expect(await isBearer(own)).toBe(true);
  });

  test('and no issuer is trusted that publishes a key of this one', async () => {
    await using other = await startOpenIDProvider();
    const published = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'default-jwks', namespace: SYSTEM },
    };
    const { keys } = JSON.parse(bodyOf(await installation.api.get(published)).data['jwks.json']);
    const trusted = { authority: other.authority, caFile: other.https.caFile };
    other.https.serve('/jwks', { keys: [other.signer.publicJWK, { ...keys[0], kid: 'in-disguise' }] });
    const client = await trusting('m2m', trusted, 'IssuerNotAllowed');
    expect(await isAssertion(client, await other.issue('m2m'))).toBe(false);
  });
});
