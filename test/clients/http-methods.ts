import type { ClientAuth, PrivateKey } from 'oauth4webapi';
import { type HttpsIssuer, startHttpsIssuer } from '../support/https-issuer.ts';
import type { Installation } from '../support/installation.ts';
import {
  type AssertionClient,
  type KeyClient,
  makeKeyClient,
  makeOddClient,
  makeServiceAccountClient,
  makeTrustingClient,
  type SecretClient,
} from './http-clients.ts';
import { type HttpServerProcess, startHttpServer } from './http-server.ts';

/** How a client may prove itself at the HTTP server. */
export const METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'an assertion of a trusted issuer',
  'an assertion of a ServiceAccount',
] as const;

export type Method = (typeof METHODS)[number];

/** A client, and a library's way to prove that it is the caller. */
interface Caller {
  readonly id: string;
  readonly owner: string;
  readonly auth: ClientAuth;
}

/** What both libraries call their ways to authenticate. */
interface Library {
  ClientSecretBasic(secret: string): ClientAuth;
  ClientSecretPost(secret: string): ClientAuth;
  PrivateKeyJwt(key: PrivateKey): ClientAuth;
}

interface Clients {
  readonly odd: SecretClient;
  readonly key: KeyClient;
  readonly trusting: AssertionClient;
  readonly account: AssertionClient;
}

/** An HTTP server, and a client for each method. */
export interface MethodServer {
  readonly server: HttpServerProcess;
  readonly callers: Readonly<Record<Method, Caller>>;
  close(): Promise<void>;
}

/** RFC 7521 §4.2. No library knows whose the assertion is: it is one of those that they let a user bring. */
const byAssertion = async (client: AssertionClient): Promise<ClientAuth> => {
  const assertion = await client.assertion();
  return (_, { client_id: clientID }, body) => {
    body.set('client_id', clientID);
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    body.set('client_assertion', assertion);
  };
};

const callersOf = async (
  library: Library,
  { odd, key, trusting, account }: Clients,
): Promise<Record<Method, Caller>> => ({
  client_secret_basic: { ...odd, auth: library.ClientSecretBasic(odd.secret) },
  client_secret_post: { ...odd, auth: library.ClientSecretPost(odd.secret) },
  private_key_jwt: { ...key, auth: library.PrivateKeyJwt({ key: key.privateKey, kid: key.kid }) },
  'an assertion of a trusted issuer': { ...trusting, auth: await byAssertion(trusting) },
  'an assertion of a ServiceAccount': { ...account, auth: await byAssertion(account) },
});

const makeClients = async (
  { api }: Installation,
  { issuer, provider }: { issuer: string; provider: HttpsIssuer },
): Promise<Clients> => {
  const place = { api, namespace: await api.createNamespace('http-clients') };
  const [odd, key, trusting, account] = await Promise.all([
    makeOddClient(place),
    makeKeyClient(place),
    makeTrustingClient(place, provider),
    makeServiceAccountClient(place, issuer),
  ]);
  return { odd, key, trusting, account };
};

/** Opens an HTTP server at which each method has a client, for a library that is written against OAuth alone. */
export const startMethodServer = async (
  installation: Installation,
  library: Library,
): Promise<MethodServer> => {
  const provider = await startHttpsIssuer();
  const { server, prepared } = await startHttpServer(installation, {
    config: { outbound: { caFile: provider.caFile, allowedCIDRs: ['127.0.0.0/8'] } },
    prepare: ({ issuer }) => makeClients(installation, { issuer, provider }),
  });
  return {
    server,
    callers: await callersOf(library, prepared),
    close: async () => {
      await server.close();
      await provider[Symbol.asyncDispose]();
    },
  };
};
