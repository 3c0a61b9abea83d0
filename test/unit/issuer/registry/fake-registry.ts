import type { IssuedToken } from '../../../../operator/api/issued-token.ts';
import { API_VERSION, keyOf, type ObjectRef } from '../../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { TOKEN_CLAIM } from '../../../../operator/api/reserved-claims.ts';
import { formatTime } from '../../../../operator/api/time.ts';
import type { Token, TokenStatus } from '../../../../operator/api/token.ts';
import type { FairSemaphore } from '../../../../operator/async/fair-semaphore.ts';
import { isOfAnotherIssuer } from '../../../../operator/domain/client/client-rules.ts';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../../operator/domain/record/cached-issued-token.ts';
import {
  BATCH_INDEXERS,
  type CachedTokenBatch,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import { cachedIssuedTokenOf } from '../../../../operator/domain/record/issued-token.ts';
import { tokenId } from '../../../../operator/domain/token/declared-token.ts';
import { createLiveReads, type RegistryReads } from '../../../../operator/issuer/registry/live-reads.ts';
import { createLookups } from '../../../../operator/issuer/registry/lookups.ts';
import { createRecords } from '../../../../operator/issuer/registry/records.ts';
import { createJwtValidator } from '../../../../operator/issuer/registry/validate-jwt.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import { ApiError } from '../../../../operator/ports/kube.ts';
import type { SecretMeta } from '../../../../operator/ports/secrets.ts';
import { clientIndexers } from '../../../../operator/reconcilers/oauth-client/client-indexes.ts';
import { TOKEN_INDEXERS } from '../../../../operator/reconcilers/token/token-triggers.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';
import { makeToken, settings } from '../../domain/token/fake-token.ts';
import { CLIENT_UID, clientWith, patient } from '../clients.ts';

const START_SECONDS = Date.UTC(2026, 0, 1) / 1000;
/** When the JWTs of these tests expire. */
export const EXPIRES = START_SECONDS + 3600;
export const KID = 'key-1';
export const TOKEN_UID = 'd9a1b6a5-0ad1-4f3e-9a55-000000000001';

type Kind = 'tokens' | 'issued' | 'batches' | 'clients' | 'secrets';

type Stored = Token | CachedIssuedToken | CachedTokenBatch | OAuthClient | SecretMeta;

/** An issued token's record, of the client `app`. */
export const issuedToken = (
  id: string,
  spec: Partial<IssuedToken['spec']> = {},
  more: {
    status?: IssuedToken['status'];
    deletionTimestamp?: string;
    resourceVersion?: string;
    createdAt?: number;
  } = {},
): IssuedToken => ({
  apiVersion: API_VERSION,
  kind: 'IssuedToken',
  metadata: {
    name: id,
    namespace: 'team',
    uid: `uid-of-${id}`,
    resourceVersion: more.resourceVersion ?? '1',
    creationTimestamp: formatTime(more.createdAt ?? START_SECONDS),
    ...(more.deletionTimestamp !== undefined && { deletionTimestamp: more.deletionTimestamp }),
  },
  spec: {
    clientRef: { name: 'app' },
    clientID: 'app',
    clientUID: CLIENT_UID,
    owner: 'alice',
    subject: 'alice',
    issuedAt: formatTime(START_SECONDS),
    expiration: formatTime(EXPIRES),
    keyID: KID,
    ...spec,
  },
  ...(more.status && { status: more.status }),
});

/** The declared Token `team/reports`, issued once. */
export const declaredToken = (
  status: Partial<TokenStatus> = {},
  spec: Partial<Token['spec']> = {},
  metadata: Partial<Token['metadata']> = {},
): Token => ({
  ...makeToken(spec, metadata),
  status: {
    id: tokenId(TOKEN_UID, 1),
    issuance: 1,
    version: 1,
    owner: 'alice',
    subject: 'alice',
    clientID: 'app',
    clientUID: CLIENT_UID,
    keyID: KID,
    issuedAt: formatTime(START_SECONDS),
    expiration: formatTime(EXPIRES),
    ...status,
  },
});

/** The metadata of the Secret of that Token, which holds a JWT for a client. */
export const deliveredSecret = (
  id: string,
  clientUID: string,
  more: { ownerUID?: string } = {},
): SecretMeta => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'reports',
    namespace: 'team',
    uid: 'uid-of-the-secret',
    resourceVersion: '1',
    creationTimestamp: formatTime(START_SECONDS),
    annotations: { 'm2moauth.dev/token-id': id, 'm2moauth.dev/client-uid': clientUID },
    ownerReferences: [
      {
        apiVersion: API_VERSION,
        kind: 'Token',
        name: 'reports',
        uid: more.ownerUID ?? TOKEN_UID,
        controller: true,
      },
    ],
  },
  isReduced: false,
  fields: { managedDataKeys: [], dataOfOtherManagers: [], ownLabels: [], ownAnnotations: [] },
});

/** What a JWT of the record above says. */
export const claimsOf = (id: string, changes: object = {}): Record<string, unknown> => ({
  jti: id,
  sub: 'alice',
  client_id: 'app',
  exp: EXPIRES,
  iat: START_SECONDS,
  ...changes,
});

export const declaredClaims = (id: string, changes: object = {}): Record<string, unknown> =>
  claimsOf(id, { [TOKEN_CLAIM]: 'team/reports', ...changes });

/** A text that {@link FakeRegistry}'s keyring takes for a JWT of such claims. */
export const jwtOf = (claims: object, kid = KID): string => JSON.stringify({ claims, kid });

/** A replica's caches, and an API server that knows what a test puts there: for decisions alone; test/integration has the real one. */
export class FakeRegistry {
  readonly clock = new FakeClock();
  readonly metrics = recordedMetrics();
  readonly tokens = new ObjectStore<Token>({ log: recordedLog(), indexers: TOKEN_INDEXERS });
  readonly issued = new ObjectStore<CachedIssuedToken>({ log: recordedLog(), indexers: ISSUED_INDEXERS });
  readonly batches = new ObjectStore<CachedTokenBatch>({ log: recordedLog(), indexers: BATCH_INDEXERS });
  readonly clients = new ObjectStore<OAuthClient>({ log: recordedLog(), indexers: clientIndexers() });
  readonly secrets = new ObjectStore<SecretMeta>({ log: recordedLog() });
  /** What the API server has. */
  readonly live = new Map<string, Stored>();
  /** Reads that reached it, and their signals. */
  readonly asked: string[] = [];
  readonly signals: AbortSignal[] = [];
  readonly fresh: Record<Exclude<Kind, 'secrets'> | 'keys', boolean> = {
    tokens: true,
    issued: true,
    batches: true,
    clients: true,
    keys: true,
  };
  isReachable = true;
  /** While it is there, no read is answered before it resolves. */
  hold: Promise<void> | undefined;
  /** The same for the checks of signatures, and those that have begun. */
  holdChecks: Promise<void> | undefined;
  readonly verified: string[] = [];
  isClockUsable = true;
  readonly #queues = createRequestQueues(this.metrics, this.clock);
  readonly reads = this.#readsIn(this.#queues.validations);
  readonly filterReads = this.#readsIn();
  readonly records = createRecords(this, (client) => isOfAnotherIssuer(settings, client));
  readonly freshness = {
    tokens: () => this.fresh.tokens,
    issuedTokens: () => this.fresh.issued,
    tokenBatches: () => this.fresh.batches,
    clients: () => this.fresh.clients,
    signingKeys: () => this.fresh.keys,
  };

  constructor() {
    for (const store of [this.tokens, this.issued, this.batches, this.clients]) store.markSynced();
    this.clients.putIfNewer(clientWith(undefined));
  }

  #readsIn(queue?: FairSemaphore): RegistryReads {
    const { clock } = this;
    const reading =
      <T>(kind: Kind) =>
      async (ref: ObjectRef, signal: AbortSignal): Promise<T | undefined> => {
        this.asked.push(`${kind} ${keyOf(ref)}`);
        this.signals.push(signal);
        await this.hold;
        if (!this.isReachable) throw new ApiError('no answer', { status: 0 });
        return this.live.get(`${kind} ${keyOf(ref)}`) as T | undefined;
      };
    return {
      tokens: createLiveReads<Token>({ cache: this.tokens, readObject: reading('tokens'), queue, clock }),
      issued: createLiveReads<CachedIssuedToken>({
        cache: this.issued,
        readObject: reading('issued'),
        queue,
        clock,
      }),
      batches: createLiveReads<CachedTokenBatch>({
        cache: this.batches,
        readObject: reading('batches'),
        queue,
        clock,
      }),
      clients: createLiveReads<OAuthClient>({
        cache: this.clients,
        readObject: reading('clients'),
        queue,
        clock,
      }),
      secrets: createLiveReads<SecretMeta>({
        cache: this.secrets,
        readObject: reading('secrets'),
        queue,
        clock,
      }),
    };
  }

  /** Puts an IssuedToken into the cache. */
  cache(object: IssuedToken): void {
    this.issued.putIfNewer(cachedIssuedTokenOf(object));
  }

  /** Puts an object where only a live read finds it. */
  store(kind: Kind, object: Stored): void {
    this.live.set(`${kind} ${keyOf(object.metadata)}`, object);
  }

  get lookups() {
    return createLookups({ ...this, reads: this.filterReads, queue: this.#queues.filters });
  }

  async validateJwt(jwt: string, address = '192.0.2.1') {
    const validateJwt = createJwtValidator({
      ...this,
      queue: this.#queues.signatures,
      keyring: {
        verify: async (text, inTurn = (check) => check()) => {
          if (!text.startsWith('{')) return undefined;
          const { claims, kid } = JSON.parse(text);
          return inTurn(async () => {
            this.verified.push(text);
            await this.holdChecks;
            return { claims, kid, algorithm: 'ES256' };
          });
        },
      },
      settings,
      isClockUsable: () => this.isClockUsable,
    });
    return validateJwt(jwt, { address, signal: patient });
  }
}
