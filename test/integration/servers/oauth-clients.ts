import { randomBytes } from 'node:crypto';
import { bodyOf } from '../../support/api.ts';
import { applyObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import type { GrpcClient } from '../../support/grpc.ts';
import {
  conditionOf,
  type Installation,
  oauthClient,
  signingKey,
  waitForReason,
} from '../../support/installation.ts';

/** Clients whose client ID is unique in the cluster, and that can authenticate when it returns. */
export interface TestClient {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly secret: string;
}

/** What a client allows unless the test says otherwise. */
export const AUDIENCE = 'https://api.example.com';
/** The issuer URL of operators in tests: as an audience, it gives a bearer its owner's rights (spec §4, Bearers). */
export const ISSUER = 'https://localhost:9101/m2m-oauth-server';

interface ClientChanges {
  readonly spec?: object;
  /** Content of its Secret; undefined: no Secret is made. */
  readonly data?: Readonly<Record<string, string>> | undefined;
  /** Reason of `CredentialsReady` to wait for. */
  readonly until?: string;
}

/** Makes an OAuthClient with a client secret, and waits until it is registered and its credentials are looked at. */
export const makeClient = async (
  { api }: Installation,
  namespace: string,
  changes: ClientChanges = {},
): Promise<TestClient> => {
  // A fresh installation has no key to sign with for a moment.
  await waitForReason(api, signingKey(), 'Active');
  const name = `client-${randomBytes(4).toString('hex')}`;
  const secret = randomBytes(24).toString('base64url');
  const { spec = {}, until = 'Verified' } = changes;
  const data = 'data' in changes ? changes.data : { client_secret: secret };
  const secretObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    stringData: data,
  };
  const client = oauthClient(name, namespace, {
    clientID: name,
    owner: `owner-of-${name}`,
    allowedAudiences: [AUDIENCE, ISSUER],
    authentication: { clientSecret: { secretRef: { name, key: 'client_secret' } } },
    ...spec,
  });
  await applyObjects(api, [...(data === undefined ? [] : [secretObject]), client], { namespace });
  await eventually(
    async () => {
      const found = bodyOf(await api.get(client));
      const reason = conditionOf(found, 'CredentialsReady')?.reason;
      if (reason !== until) throw new Error(`CredentialsReady is ${reason}`);
      return found.status.clientID === name;
    },
    { timeoutMs: 30_000 },
  );
  return { id: name, name, namespace, secret };
};

/** The part of a JWT in the clear, unverified. */
export const payloadOf = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));

/** The header of a JWT, unverified. */
export const headerOf = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString('utf8'));

/** The `jti` of a JWT, unverified. */
export const idOf = (jwt: string): string => String(payloadOf(jwt).jti);

/** Asks a server for a token of a client, for {@link AUDIENCE}; `more` over what that needs. */
export const createToken = async (
  grpc: GrpcClient,
  client: Pick<TestClient, 'id' | 'secret'>,
  more: Parameters<GrpcClient['createToken']>[0] = {},
): Promise<string> =>
  (
    await grpc.createToken({
      grantType: 'client_credentials',
      clientId: client.id,
      clientSecret: client.secret,
      audience: [AUDIENCE],
      ...more,
    })
  ).accessToken;

/** A token that may list and revoke all tokens of its owner. */
export const createOwnerBearer = (
  grpc: GrpcClient,
  client: Pick<TestClient, 'id' | 'secret'>,
): Promise<string> => createToken(grpc, client, { audience: [ISSUER] });
