import type { IssuedToken } from '../api/issued-token.ts';
import type { OAuthClient } from '../api/oauth-client.ts';
import type { SigningKey } from '../api/signing-key.ts';
import type { Token } from '../api/token.ts';
import type { TokenBatch } from '../api/token-batch.ts';
import { cachedClientOf } from '../domain/client/cached-client.ts';
import { cachedSigningKeyOf } from '../domain/key/cached-signing-key.ts';
import { cachedTokenBatchOf } from '../domain/record/cached-token-batch.ts';
import { cachedIssuedTokenOf } from '../domain/record/issued-token.ts';
import { cachedTokenOf } from '../domain/token/declared-token.ts';
import type { KubeClient } from '../kube/client.ts';
import { decodedClient } from '../kube/decoded-client.ts';
import {
  CONFIG_MAPS,
  createResourceClient,
  ISSUED_TOKENS,
  LEASES,
  OAUTH_CLIENTS,
  SECRETS,
  SIGNING_KEYS,
  TOKEN_BATCHES,
  TOKENS,
} from '../kube/resource-client.ts';
import type { ConfigMap } from '../ports/config-maps.ts';
import type { Lease } from '../ports/lease.ts';
import type { Secret } from '../ports/secrets.ts';

/** The calls on every resource type that the operator reads by name or writes. What is cached comes in the form that caches hold. */
export const resourceClients = (client: KubeClient) => ({
  tokens: createResourceClient<Token>(client, TOKENS, { decode: cachedTokenOf }),
  /** The same Tokens, with everything that caches do not hold. */
  wholeTokens: createResourceClient<Token>(client, TOKENS),
  issued: createResourceClient<IssuedToken>(client, ISSUED_TOKENS),
  batches: createResourceClient<TokenBatch>(client, TOKEN_BATCHES),
  clients: createResourceClient<OAuthClient>(client, OAUTH_CLIENTS, { decode: cachedClientOf }),
  signingKeys: createResourceClient<SigningKey>(client, SIGNING_KEYS, { decode: cachedSigningKeyOf }),
  secrets: createResourceClient<Secret>(client, SECRETS),
  /** The same Secrets, with the record of who wrote which field. */
  secretsWithFields: createResourceClient<Secret>(client, SECRETS, { keepManagedFields: true }),
  configMaps: createResourceClient<ConfigMap>(client, CONFIG_MAPS),
  leases: createResourceClient<Lease>(client, LEASES),
});

export type ResourceClients = ReturnType<typeof resourceClients>;

const same = <T>(object: T): T => object;

/** The calls on the types that hold records, and on clients, with what the caches hold of an object in its place. */
export const decodedClients = ({ tokens, issued, batches, clients }: ResourceClients) => ({
  tokens: decodedClient(tokens, same),
  issued: decodedClient(issued, cachedIssuedTokenOf),
  batches: decodedClient(batches, cachedTokenBatchOf),
  clients: decodedClient(clients, same),
});
