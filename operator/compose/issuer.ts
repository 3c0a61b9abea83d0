import { randomUUID } from 'node:crypto';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { IssuedToken } from '../api/issued-token.ts';
import type { OAuthClient } from '../api/oauth-client.ts';
import type { Token } from '../api/token.ts';
import type { Config } from '../config/schema.ts';
import { findJwkProblem } from '../crypto/public-jwk.ts';
import { type IssuedRecord, issuedRecordOf } from '../domain/issued-record.ts';
import { OWNER_LABEL, ownerLabel } from '../domain/issued-token.ts';
import {
  createAuthenticateBearer,
  createAuthenticateSelf,
} from '../issuer/authentication/authenticate-bearer.ts';
import { createClientAuthentication } from '../issuer/authentication/client-authentication.ts';
import { createCreateToken } from '../issuer/create-token.ts';
import { createIntrospectToken } from '../issuer/introspect-token.ts';
import { createDeleteTokens, type ListOwned } from '../issuer/registry/delete-tokens.ts';
import { createEndToken } from '../issuer/registry/end-token.ts';
import { createJudge } from '../issuer/registry/judge.ts';
import { createListTokens } from '../issuer/registry/list-tokens.ts';
import { createLiveReads, LIVE_READS, type RegistryReads } from '../issuer/registry/live-reads.ts';
import { createLookups } from '../issuer/registry/lookups.ts';
import { createRecords } from '../issuer/registry/records.ts';
import { watchRevocations } from '../issuer/registry/revocations.ts';
import { createRevokeToken } from '../issuer/revoke-token.ts';
import { createSlots } from '../issuer/slots.ts';
import type { Issuer } from '../issuer/use-cases.ts';
import type { KubeClient } from '../kube/client.ts';
import { listWatchIssuedRecords } from '../kube/list-watch.ts';
import { createResourceClient } from '../kube/resource-client.ts';
import { ISSUED_TOKENS, OAUTH_CLIENTS, SECRETS, TOKENS } from '../kube/resource-types.ts';
import { createReviewToken } from '../kube/token-reviews.ts';
import { jsonFetcher } from '../outbound/fetch-json.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Freshness } from '../ports/freshness.ts';
import { getIfThere, type ResourceClient } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Secret } from '../ports/secrets.ts';
import type { Keyring } from '../ports/signing.ts';
import { isInStep } from './health.ts';
import type { Informers } from './informers.ts';
import { issuerSettingsOf } from './settings.ts';

/** What the use cases are built from. */
export interface IssuerParts {
  /** Not gated: every replica records and revokes. */
  readonly client: KubeClient;
  readonly informers: Informers;
  readonly keyring: Keyring;
  readonly isClockUsable: () => boolean;
  readonly isLeading: () => boolean;
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The use cases behind every door, and what ends with them. */
export interface WiredIssuer {
  readonly issuer: Issuer;
  stop(): void;
}

/** Records of one page of a consistent list. */
const PAGE = 500;

const freshnessOf = (informers: Informers, clock: MonotonicClock): Freshness => ({
  tokens: () => isInStep(informers.tokens, clock),
  issuedTokens: () => isInStep(informers.issued, clock),
  clients: () => isInStep(informers.clients, clock),
  signingKeys: () => isInStep(informers.signingKeys, clock),
});

const resourceClients = (client: KubeClient) => ({
  tokens: createResourceClient<Token>(client, TOKENS),
  issued: createResourceClient<IssuedToken>(client, ISSUED_TOKENS),
  clients: createResourceClient<OAuthClient>(client, OAUTH_CLIENTS),
  secrets: createResourceClient<Secret>(client, SECRETS),
});

const buildReads = (
  { informers, clock }: IssuerParts,
  { tokens, issued, clients }: ReturnType<typeof resourceClients>,
): RegistryReads => {
  const shared = { slots: createSlots(LIVE_READS), clock };
  return {
    tokens: createLiveReads<Token>({
      ...shared,
      cache: informers.tokens.cache,
      readObject: (ref, signal) => getIfThere(tokens, ref, signal),
    }),
    issued: createLiveReads<IssuedRecord>({
      ...shared,
      cache: informers.issued.cache,
      readObject: async (ref, signal) => {
        const found = await getIfThere(issued, ref, signal);
        return found && issuedRecordOf(found);
      },
    }),
    clients: createLiveReads<OAuthClient>({
      ...shared,
      cache: informers.clients.cache,
      readObject: (ref, signal) => getIfThere(clients, ref, signal),
    }),
  };
};

/** One list by the owner's label in each watched namespace: quorum reads, since no resourceVersion is given. */
const listOwnedIn = (client: KubeClient, watchNamespaces: readonly string[]): ListOwned =>
  async function* listOwned(owner, signal) {
    const labelSelector = `${OWNER_LABEL}=${ownerLabel(owner)}`;
    const scopes = watchNamespaces.length === 0 ? [{}] : watchNamespaces.map((namespace) => ({ namespace }));
    for (const scope of scopes) {
      const source = listWatchIssuedRecords(client, { ...scope, labelSelector });
      let continueToken: string | undefined;
      do {
        const page = await source.list({ limit: PAGE, continueToken, signal });
        yield page.items;
        continueToken = page.continueToken;
      } while (continueToken !== undefined);
    }
  };

const buildAuthentication = (
  config: Config,
  parts: IssuerParts,
  around: { reads: RegistryReads; freshness: Freshness; secrets: ResourceClient<Secret> },
) => {
  const { client, informers } = parts;
  const { reads, freshness, secrets } = around;
  return createClientAuthentication({
    ...parts,
    settings: issuerSettingsOf(config),
    clients: informers.clients.cache,
    freshness,
    readClient: (ref, signal) => reads.clients.read(ref, signal),
    readSecret: (ref, signal) => getIfThere(secrets, ref, signal),
    reviewToken: createReviewToken(client),
    fetchJson: jsonFetcher(config.outbound),
    findJwkProblem,
  });
};

/** Wires the use cases over the caches and the API server. Nothing is sent before a call comes. */
export const buildIssuer = (config: Config, parts: IssuerParts): WiredIssuer => {
  const { client, informers, clock } = parts;
  const [tokens, issued, clients] = [informers.tokens.cache, informers.issued.cache, informers.clients.cache];
  const resources = resourceClients(client);
  const settings = issuerSettingsOf(config);
  const freshness = freshnessOf(informers, clock);
  const reads = buildReads(parts, resources);
  const records = createRecords({ tokens, issued, clients });
  const registry = { ...parts, settings, records, clients, reads, freshness };
  const judge = createJudge(registry);
  const lookups = createLookups(registry);
  const authentication = buildAuthentication(config, parts, { ...resources, reads, freshness });
  const writes = { ...parts, tokens, issued, tokenClient: resources.tokens, issuedClient: resources.issued };
  const endToken = createEndToken(writes);
  const bearers = {
    ...authentication,
    judge,
    settings,
    policy: config.authorization.issuedTokens,
    endpoints: config.authorization.endpoints,
  };
  const stopWatching = watchRevocations({ ...parts, tokens, issued });
  return {
    issuer: {
      authenticateClient: authentication.authenticateClient,
      authenticateBearer: createAuthenticateBearer(bearers),
      authenticateSelf: createAuthenticateSelf(bearers),
      createToken: createCreateToken({
        ...parts,
        ...authentication,
        settings,
        records: resources.issued,
        onRecorded: (record) => issued.observe(issuedRecordOf(record)),
        newID: randomUUID,
      }),
      listTokens: createListTokens({ ...registry, lookups, turn: () => turnOfTheLoop() }),
      deleteTokens: createDeleteTokens({
        tokens,
        issued,
        lookups,
        listOwned: listOwnedIn(client, config.kubernetes.watchNamespaces),
        endToken,
      }),
      introspectToken: createIntrospectToken({ ...authentication, judge }),
      revokeToken: createRevokeToken({ ...authentication, judge, endToken }),
    },
    stop: () => {
      stopWatching();
      authentication.stop();
    },
  };
};
