import { randomUUID } from 'node:crypto';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { OAuthClient } from '../api/oauth-client.ts';
import type { FairSemaphore } from '../async/fair-semaphore.ts';
import type { FairTurns } from '../async/fair-turns.ts';
import type { Config } from '../config/schema.ts';
import { findJwkProblem, thumbprintOf } from '../crypto/public-jwk.ts';
import { isOfAnotherIssuer } from '../domain/client/client-rules.ts';
import type { IssuerSettings } from '../domain/jwt/claims.ts';
import { cachedTokenBatchOf, hasRestoredRecords } from '../domain/record/cached-token-batch.ts';
import { cachedIssuedTokenOf } from '../domain/record/issued-token.ts';
import {
  createAuthenticateBearer,
  createAuthenticateSelf,
} from '../issuer/authentication/authenticate-bearer.ts';
import { createClientAuthentication } from '../issuer/authentication/client-authentication.ts';
import { buildCreateToken } from '../issuer/create-token.ts';
import { authenticationInTurns, lookupsInTurns } from '../issuer/in-turn.ts';
import { createIntrospectToken } from '../issuer/introspect-token.ts';
import { createClientLimits } from '../issuer/limits/client-limits.ts';
import type { Rejections } from '../issuer/limits/rejections.ts';
import { createGroupCommit, createWriteBatch } from '../issuer/recording/group-commit.ts';
import { createAgeCheck, createRecordToken, type RecordToken } from '../issuer/recording/record-token.ts';
import { type UsedAssertions, watchUsedAssertions } from '../issuer/recording/used-assertions.ts';
import { createDeleteTokens } from '../issuer/registry/delete-tokens.ts';
import { createListTokens } from '../issuer/registry/list-tokens.ts';
import type { RegistryReads } from '../issuer/registry/live-reads.ts';
import { createLookups } from '../issuer/registry/lookups.ts';
import { createRecords } from '../issuer/registry/records.ts';
import { warnOfRestoredRecords } from '../issuer/registry/restored-records.ts';
import { watchRevocations } from '../issuer/registry/revocations.ts';
import { createRevokeRecords } from '../issuer/registry/revoke-records.ts';
import { createJwtValidator } from '../issuer/registry/validate-jwt.ts';
import {
  createListTurns,
  createRequestQueues,
  createRequestTurns,
  overloaded,
  type RequestQueues,
} from '../issuer/request-queues.ts';
import { createRevokeToken } from '../issuer/revoke-token.ts';
import type { Issuer } from '../issuer/use-cases.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Selection } from '../kube/list-watch.ts';
import { readSecretMetaOf } from '../kube/secret-meta-reader.ts';
import { createReviewToken } from '../kube/token-reviews.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Freshness } from '../ports/freshness.ts';
import { getIfThere, type ResourceClient } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { FetchJson } from '../ports/outbound.ts';
import type { Secret } from '../ports/secrets.ts';
import type { Keyring } from '../ports/signing.ts';
import { isSynced } from './health.ts';
import { type Informers, secretsOf } from './informers.ts';
import { listOwnedIn, objectsOf, readsOf } from './objects.ts';
import { type ResourceClients, resourceClients } from './resources.ts';
import { issuerSettingsOf } from './settings.ts';

/** What the use cases are built from. */
export interface IssuerParts {
  /** Not gated: every replica records and revokes. */
  readonly client: KubeClient;
  readonly informers: Informers;
  readonly keyring: Keyring;
  readonly fetchJson: FetchJson;
  readonly isClockUsable: () => boolean;
  readonly isLeading: () => boolean;
  /** Where records can be now: a namespace each, or all of them. */
  readonly scopes: () => readonly Pick<Selection, 'namespace'>[];
  /** The part of each client's rate that this replica may use now. */
  readonly share: () => number;
  readonly rejections: Rejections;
  /** True while this replica has too little memory left to keep more records. */
  readonly isMemoryExceeded: () => boolean;
  readonly clock: MonotonicClock;
  /** Runs it when others have had their turn of the event loop. */
  readonly defer: (work: () => void) => void;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The use cases behind the servers, and what ends with them. */
export interface WiredIssuer {
  readonly issuer: Issuer;
  /** In which its use cases start. */
  readonly turns: FairTurns;
  stop(): void;
}

const freshnessOf = (informers: Informers, clock: MonotonicClock): Freshness => {
  const of =
    (informer: Pick<Informers['tokens'], 'healthIn' | 'healthOfAll'>) =>
    (namespace?: string): boolean =>
      isSynced(namespace === undefined ? informer.healthOfAll : informer.healthIn(namespace), clock);
  return {
    tokens: of(informers.tokens),
    issuedTokens: of(informers.issued),
    tokenBatches: of(informers.batches),
    clients: of(informers.clients),
    signingKeys: () =>
      isSynced(informers.signingKeys.health, clock) && informers.compromisedKeys.cache.synced,
  };
};

const buildAuthentication = (
  config: Config,
  { client, informers, keyring, fetchJson, clock, log, metrics }: IssuerParts,
  {
    reads,
    freshness,
    queues,
    secrets,
  }: {
    reads: RegistryReads;
    freshness: Freshness;
    queues: RequestQueues;
    secrets: ResourceClient<Secret>;
  },
) =>
  createClientAuthentication({
    clock,
    log,
    metrics,
    settings: issuerSettingsOf(config),
    clients: informers.clients.cache,
    freshness,
    isDenied: (namespace) => informers.clients.isDeniedIn(namespace),
    readClient: (ref, reader) => reads.clients.read(ref, reader),
    queues,
    readSecret: (ref, signal) => getIfThere(secrets, ref, signal),
    reviewToken: createReviewToken(client),
    fetchJson,
    findJwkProblem,
    thumbprintOf,
    keyring,
    endpoints: config.authorization.endpoints,
  });

const buildRecording = (
  { informers, clock, defer, metrics }: IssuerParts,
  { issued, batches }: ResourceClients,
  {
    usedAssertions,
    queue,
    settings,
  }: { usedAssertions: UsedAssertions; queue: FairSemaphore; settings: Pick<IssuerSettings, 'backdateMs'> },
): RecordToken => {
  const checkAge = createAgeCheck({ clock, settings });
  const writeBatch = createWriteBatch({
    batches,
    onRecorded: (batch) => informers.batches.cache.putIfNewer(cachedTokenBatchOf(batch)),
    checkAge,
    queue,
    clock,
  });
  return createRecordToken({
    records: issued,
    usedAssertions,
    onRecorded: (record) => informers.issued.cache.putIfNewer(cachedIssuedTokenOf(record)),
    addToBatch: createGroupCommit({
      writeBatch,
      newID: randomUUID,
      defer,
      overloaded: () => overloaded('records', metrics),
    }),
    checkAge,
    queue,
    newID: randomUUID,
    defer,
  });
};

/** Wires the use cases over the caches and the API server. Nothing is sent before a call comes. */
export const buildIssuer = (config: Config, parts: IssuerParts): WiredIssuer => {
  const { client, informers, keyring, isClockUsable, isLeading, share, rejections, clock, metrics } = parts;
  const tokens = informers.tokens.cache;
  const issued = informers.issued.cache;
  const batches = informers.batches.cache;
  const clients = informers.clients.cache;
  const resources = resourceClients(client);
  const settings = issuerSettingsOf(config);
  const freshness = freshnessOf(informers, clock);
  const objects = objectsOf(informers, resources, readSecretMetaOf(client));
  const queues = createRequestQueues(metrics, clock);
  const turns = createRequestTurns(metrics, clock, parts.defer);
  const reads = readsOf(objects, queues.validations, clock);
  const filterReads = readsOf(objects, undefined, clock);
  const isOfAnother = (found: OAuthClient | undefined): boolean =>
    found !== undefined && isOfAnotherIssuer(settings, found);
  const records = createRecords({ tokens, issued, batches, clients }, isOfAnother);
  const validateJwt = createJwtValidator({
    keyring,
    queue: queues.signatures,
    records,
    clients,
    secrets: secretsOf(informers),
    reads,
    freshness,
    settings,
    isClockUsable,
    clock,
    metrics,
  });
  const lookups = lookupsInTurns(
    createLookups({ records, clients, reads: filterReads, queue: queues.filters, freshness, clock }),
    turns,
  );
  const { secrets } = resources;
  const authentication = buildAuthentication(config, parts, { reads, freshness, queues, secrets });
  const { externalIssuers, failures } = authentication;
  const revokeRecords = createRevokeRecords({
    tokens: objects.tokens,
    issued: objects.issued,
    batches: objects.batches,
    queue: queues.revocations,
    clock,
  });
  const { authenticateClient, authenticateSelf } = authenticationInTurns(
    {
      authenticateClient: authentication.authenticateClient,
      authenticateSelf: createAuthenticateSelf({
        externalIssuers,
        queue: queues.signatures,
        validateJwt,
        settings,
        policy: config.authorization.issuedTokens,
        endpoints: config.authorization.endpoints,
      }),
    },
    turns,
  );
  const limits = createClientLimits({
    records: { issued, batches },
    clients,
    defer: parts.defer,
    defaults: config.limits.perClient,
    share,
    rejections,
    clock,
    metrics,
  });
  const usedAssertions = watchUsedAssertions({
    issued,
    coverage: informers.issued,
    isFresh: freshness.issuedTokens,
    skewSeconds: () => client.clockSkew.seconds,
    clock,
  });
  const warnings = [
    warnOfRestoredRecords(
      { kind: 'IssuedToken', cache: issued, isRestored: (record) => record.isRestored === true },
      parts,
    ),
    warnOfRestoredRecords({ kind: 'TokenBatch', cache: batches, isRestored: hasRestoredRecords }, parts),
  ];
  const stopWatching = watchRevocations({ tokens, issued, batches, isLeading, clock, metrics });
  const issuer: Issuer = {
    authenticateBearer: createAuthenticateBearer(authenticateSelf),
    authenticateSelf,
    createToken: buildCreateToken({
      authenticateClient,
      failures,
      settings,
      keyring,
      isMemoryExceeded: parts.isMemoryExceeded,
      admit: limits.admit,
      recordToken: buildRecording(parts, resources, { usedAssertions, queue: queues.records, settings }),
      isClockUsable,
      clock,
      metrics,
    }),
    listTokens: createListTokens({
      records,
      lookups,
      freshness,
      queue: queues.streams,
      turns: createListTurns(metrics, clock, parts.defer),
    }),
    deleteTokens: createDeleteTokens({
      tokens,
      issued,
      batches,
      lookups,
      freshness,
      listRecordsOfOwner: listOwnedIn(client, parts.scopes),
      revokeRecords,
      queue: queues.lists,
      turn: () => turnOfTheLoop(),
      isOfAnother: (client) => isOfAnother(clients.get(client)),
    }),
    introspectToken: createIntrospectToken({ authenticateClient, validateJwt }),
    revokeToken: createRevokeToken({ authenticateClient, validateJwt, revokeRecords }),
  };
  return {
    issuer,
    turns,
    stop: () => {
      usedAssertions.stop();
      for (const end of warnings) end();
      stopWatching();
      limits.stop();
      authentication.stop();
    },
  };
};
