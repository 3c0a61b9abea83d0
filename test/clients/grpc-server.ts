import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { makeClient, type TestClient } from '../integration/servers/oauth-clients.ts';
import { bodyOf } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Installation, SYSTEM, signingKey, waitForReason } from '../support/installation.ts';
import type { OperatorProcess } from '../support/operator-process.ts';

/** The service's full name. */
export const SERVICE = 'm2moauthserver.pb.M2MOAuthService';

/** `127.0.0.1:<port>` of an operator's gRPC server, once it listens. */
export const grpcAddress = async (operator: OperatorProcess): Promise<string> => {
  const port = await eventually(
    () => operator.log.find(({ message }) => message === 'gRPC listener started')?.port ?? false,
    { timeoutMs: 60_000 },
  );
  return `127.0.0.1:${port}`;
};

/** A replica's server, and who may ask there. */
export interface GrpcServer {
  readonly replica: OperatorProcess;
  readonly address: string;
  readonly clients: readonly TestClient[];
}

/**
 * Opens the server of a replica that knows a signing key and `count` clients from its start: programs that are run once
 * can't be made to try again. Another one leads.
 */
export const startServer = async (installation: Installation, count: number): Promise<GrpcServer> => {
  const leader = await installation.operator();
  await leader.ready();
  const namespace = await installation.api.createNamespace('clients');
  const clients = await Promise.all(Array.from({ length: count }, () => makeClient(installation, namespace)));
  await waitForReason(installation.api, signingKey(), 'Active');
  const replica = await installation.operator();
  await replica.ready();
  return { replica, address: await grpcAddress(replica), clients };
};

/** The claims of an access token, verified by jose through the published keys. @throws where it does not verify */
export const verifiedClaims = async (
  { api }: Installation,
  jwt: string,
  audience: string,
): Promise<JWTPayload> => {
  const published = bodyOf(
    await api.get({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'default-jwks', namespace: SYSTEM },
    }),
  );
  const jwks = createLocalJWKSet(JSON.parse(published.data['jwks.json']));
  const issuer = 'https://localhost:9101/m2m-oauth-server';
  return (await jwtVerify(jwt, jwks, { issuer, audience, typ: 'at+jwt' })).payload;
};
