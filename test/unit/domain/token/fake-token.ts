import { API_VERSION, type ObjectRef, type OwnerReference } from '../../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { KeyPhase } from '../../../../operator/api/signing-key.ts';
import type { Token, TokenSpec, TokenStatus } from '../../../../operator/api/token.ts';
import { watchedBy } from '../../../../operator/domain/own-mark.ts';
import { cachedTokenOf } from '../../../../operator/domain/token/declared-token.ts';
import type { SecretFailure } from '../../../../operator/domain/token/token-observation.ts';
import { planToken } from '../../../../operator/domain/token/token-plan.ts';
import type { TokenPlan } from '../../../../operator/domain/token/token-status.ts';
import { reduceSecretMeta } from '../../../../operator/kube/secret-meta.ts';
import { ApiError, type ChangedObject, type NewObject } from '../../../../operator/ports/kube.ts';
import type { Secret, SecretMeta } from '../../../../operator/ports/secrets.ts';
import type { UnsignedJwt } from '../../../../operator/ports/signing.ts';
import { ALL_CLIENTS, type OwnClients } from '../../../../operator/reconcilers/oauth-client/own-clients.ts';
import { observeToken } from '../../../../operator/reconcilers/token/token-observer.ts';
import {
  TokenReconciler,
  type TokenReconcilerOptions,
} from '../../../../operator/reconcilers/token/token-reconciler.ts';
import { SECRET_INDEXERS } from '../../../../operator/reconcilers/token/token-triggers.ts';
import type { ReconcileResult } from '../../../../operator/runtime/controller.ts';
import { issuerSettings } from '../../../support/issuer-settings.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';

/** 2026-01-01T00:00:00Z. */
export const START = Date.UTC(2026, 0, 1);

export const settings = issuerSettings();

interface StoredJwt {
  readonly kid: string;
  readonly claims: UnsignedJwt['claims'];
}

interface StoredSecret {
  uid: string;
  resourceVersion: string;
  owned: boolean;
  ofPredecessor: boolean;
  terminating: boolean;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** A JWT, or any other text; `own`: the operator wrote it last. */
  data: Record<string, { jwt?: StoredJwt; own: boolean }>;
  ownLabels: string[];
  ownAnnotations: string[];
}

export class Crash extends Error {}

const TOKEN_UID = 'd9a1b6a5-0ad1-4f3e-9a55-000000000001';

export const makeToken = (
  spec: Partial<TokenSpec> = {},
  metadata: Partial<Token['metadata']> = {},
): Token => ({
  apiVersion: API_VERSION,
  kind: 'Token',
  metadata: {
    name: 'reports',
    namespace: 'team',
    uid: TOKEN_UID,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    generation: 1,
    ...metadata,
  },
  spec: { clientRef: { name: 'app' }, ...spec },
});

export const makeClient = (spec: Partial<OAuthClient['spec']> = {}, uid = 'client-1'): OAuthClient => ({
  apiVersion: API_VERSION,
  kind: 'OAuthClient',
  metadata: {
    name: 'app',
    namespace: 'team',
    uid,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: {
    owner: 'alice',
    accessTokenLifetime: '1h',
    allowedGrantTypes: ['client_credentials'],
    recording: 'PerToken',
    ...spec,
  },
  status: { clientID: spec.clientID ?? 'app' },
});

const never = new AbortController().signal;
const notFound = () => new ApiError('not found', { status: 404, reason: 'NotFound' });
const conflict = () => new ApiError('conflict', { status: 409, reason: 'Conflict' });

const encode = (name: string, { jwt }: StoredSecret['data'][string]): string =>
  Buffer.from(jwt ? JSON.stringify(jwt) : `other ${name}`).toString('base64');
const decode = (base64: string): StoredJwt | undefined => {
  const text = Buffer.from(base64, 'base64').toString();
  return text.startsWith('{') ? (JSON.parse(text) as StoredJwt) : undefined;
};

/** What the operator owns by `managedFields` after it wrote `after` over `before`. */
const ownedAfter = (
  after: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>>,
  own: readonly string[],
): string[] => Object.keys(after).filter((name) => after[name] !== before[name] || own.includes(name));

/** An API server in memory with one Token, and the operator's {@link TokenReconciler}, restarted before each reconcile unless it {@link FakeToken.keepRunning}. */
export class FakeToken {
  token: Token | undefined;
  client: OAuthClient | undefined = makeClient();
  namespaceLabels: Record<string, string> = {};
  secrets = new Map<string, StoredSecret>();
  phases = new Map<string, KeyPhase | 'Compromised'>([['key-1', 'Active']]);
  activeKid: string | undefined = 'key-1';
  settings = settings;
  now = START;
  /** Every write, in order. */
  writes: string[] = [];
  /** Every JWT that was ever written to a Secret. */
  issued: StoredJwt[] = [];
  /** The cause of each delivery that was completed. */
  causes: string[] = [];
  /** How many writes are possible before the operator crashes. */
  budget = Number.POSITIVE_INFINITY;
  /** A quota rejects every Secret. */
  isOverQuota = false;
  #followed: readonly string[] = [];
  #counter = 1;
  #ownClients: OwnClients = ALL_CLIENTS;
  #reconciler: TokenReconciler | undefined;

  constructor(token: Token = makeToken()) {
    this.token = token;
  }

  /** Another one in the same state. */
  fork(): FakeToken {
    const other = new FakeToken();
    const { token, client, namespaceLabels, secrets, phases, issued, writes } = structuredClone(this);
    Object.assign(other, { token, client, namespaceLabels, secrets, phases, issued, writes });
    Object.assign(other, { activeKid: this.activeKid, now: this.now, isOverQuota: this.isOverQuota });
    other.#counter = this.#counter;
    other.#followed = this.#followed;
    return other;
  }

  get status(): TokenStatus {
    return this.token?.status ?? {};
  }

  edit(spec: Partial<TokenSpec>): void {
    if (!this.token) return;
    const metadata = { ...this.token.metadata, generation: (this.token.metadata.generation ?? 0) + 1 };
    this.token = { ...this.token, metadata, spec: { ...this.token.spec, ...spec } };
  }

  annotate(annotations: Record<string, string>): void {
    if (this.token) this.token = { ...this.token, metadata: { ...this.token.metadata, annotations } };
  }

  setStatus(status: TokenStatus): void {
    if (this.token) this.token = { ...this.token, status };
  }

  putUnmanaged(name: string): void {
    this.secrets.set(name, {
      ...this.#identity(),
      owned: false,
      ofPredecessor: false,
      terminating: false,
      labels: {},
      annotations: {},
      data: { password: { own: false } },
      ownLabels: [],
      ownAnnotations: [],
    });
  }

  /** Which clients are this installation's from now on; all before that. */
  set ownClients(ownClients: OwnClients) {
    this.#ownClients = ownClients;
  }

  /** From now on one reconciler with what it remembers, and the keys of now. */
  keepRunning(): void {
    this.#reconciler = new TokenReconciler(this.#options());
  }

  /** Runs the operator's reconciler once. */
  async reconcile(): Promise<ReconcileResult> {
    const { namespace, name } = makeToken().metadata;
    const reconciler = this.#reconciler ?? new TokenReconciler(this.#options());
    return reconciler.reconcile(`${namespace}/${name}`, never);
  }

  /** What the next reconcile would do first, if the next paced JWT is possible at that time; and after that failure. */
  async plan(reissueAt?: number, failure?: SecretFailure): Promise<TokenPlan> {
    const input = { now: this.now, signal: never, reissueAt, failure };
    const { observation } = await observeToken(this.token ?? makeToken(), this.#options(), input);
    return planToken(observation);
  }

  /** Advances the clock, and reconciles whenever the plan asks for it. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    for (let count = 0; count < 10_000; count += 1) {
      await this.reconcile();
      const at = this.token ? (await this.plan()).requeueAt : undefined;
      if (at === undefined || at > end) break;
      this.now = Math.max(at, this.now + 1000);
    }
    this.now = end;
    await this.reconcile();
  }

  #identity() {
    this.#counter += 1;
    return { uid: `secret-${this.#counter}`, resourceVersion: String(this.#counter) };
  }

  #write(what: string): void {
    if (this.budget <= 0) throw new Crash(what);
    this.budget -= 1;
    this.writes.push(what);
  }

  #options(): TokenReconcilerOptions {
    const log = recordedLog();
    const forgetNothing = { putIfNewer: () => undefined, forget: () => undefined };
    return {
      tokens: { get: () => this.token && cachedTokenOf(this.token), ...forgetNothing },
      clients: { get: () => this.client },
      ownClients: this.#ownClients,
      namespaces: { get: () => ({ metadata: { labels: this.namespaceLabels } }) },
      secrets: {
        ...forgetNothing,
        get: (key: string) => this.#cached(key),
        byIndex: () => this.#ownCached(),
      },
      named: {
        get: (key: string) => (this.#followed.includes(key) ? this.#reducedAt(key) : undefined),
        follow: (_owner: string, keys: readonly string[]) => {
          this.#followed = keys;
          return true;
        },
      },
      keyring: this.#keyring(),
      settings: this.settings,
      secretMetaOf: ({ metadata }: Secret) => this.#metaAt(`${metadata.namespace}/${metadata.name}`),
      cachedSecretOf: ({ metadata }: Secret) => this.#reducedAt(`${metadata.namespace}/${metadata.name}`),
      wholeTokenClient: { get: async () => this.token ?? Promise.reject(notFound()) },
      secretClient: this.#secretClient(),
      tokenClient: this.#tokenClient(),
      clock: { now: () => this.now },
      events: { record: () => undefined },
      metrics: recordedMetrics(),
      log: {
        ...log,
        child: () => ({
          ...log,
          info: (_message: string, { cause }: { cause?: string }) => this.#delivered(cause),
        }),
      },
    } as unknown as TokenReconcilerOptions;
  }

  #delivered(cause: string | undefined): void {
    if (cause !== undefined) this.causes.push(cause);
  }

  #keyring() {
    const kid = this.activeKid;
    const sign = async ({ claims }: UnsignedJwt) => JSON.stringify({ kid, claims });
    return {
      active: () => (kid === undefined ? undefined : { kid, sign }),
      phase: (other: string) => this.phases.get(other),
      verify: (text: string) => {
        const jwt = decode(Buffer.from(text).toString('base64'));
        const phase = jwt && this.phases.get(jwt.kid);
        return phase === undefined || phase === 'Compromised' ? undefined : jwt;
      },
    };
  }

  #references({ owned, ofPredecessor }: StoredSecret): OwnerReference[] {
    const { name, uid } = makeToken().metadata;
    if (!owned && !ofPredecessor) return [];
    const reference = { apiVersion: API_VERSION, kind: 'Token', name, controller: true };
    return [{ ...reference, uid: owned ? uid : 'predecessor' }];
  }

  #metaAt(key: string): SecretMeta | undefined {
    const { namespace } = makeToken().metadata;
    const name = key.slice(namespace.length + 1);
    const secret = this.secrets.get(name);
    if (secret === undefined) return undefined;
    const { uid, resourceVersion, labels, annotations, data, ownLabels, ownAnnotations } = secret;
    const keys = Object.keys(data);
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      isReduced: false,
      metadata: {
        ...{ name, namespace, uid, resourceVersion, labels, annotations },
        creationTimestamp: '',
        ownerReferences: this.#references(secret),
        ...(secret.terminating && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      },
      fields: {
        managedDataKeys: keys.filter((dataKey) => data[dataKey]?.own),
        dataOfOtherManagers: keys.filter((dataKey) => !data[dataKey]?.own),
        ownLabels,
        ownAnnotations,
      },
    };
  }

  #reducedAt(key: string): SecretMeta | undefined {
    const meta = this.#metaAt(key);
    return meta && reduceSecretMeta(meta);
  }

  /** The operator's informers select Secrets by label. */
  #cached(key: string): SecretMeta | undefined {
    const meta = this.#reducedAt(key);
    return meta && watchedBy(meta.metadata) ? meta : undefined;
  }

  #ownCached(): SecretMeta[] {
    const { namespace } = makeToken().metadata;
    return [...this.secrets.keys()].flatMap((name) => {
      const meta = this.#cached(`${namespace}/${name}`);
      return meta && SECRET_INDEXERS.token?.(meta).includes(TOKEN_UID) ? [meta] : [];
    });
  }

  #secretAt({ namespace, name }: ObjectRef): Secret {
    const meta = this.#metaAt(`${namespace}/${name}`);
    if (meta === undefined) throw notFound();
    const data = this.secrets.get(name)?.data ?? {};
    const encoded = Object.entries(data).map(([key, value]) => [key, encode(key, value)]);
    return { ...meta, kind: 'Secret', type: 'Opaque', data: Object.fromEntries(encoded) };
  }

  #secretClient() {
    return {
      get: async (ref: ObjectRef) => this.#secretAt(ref),
      create: async (object: NewObject<Secret>) => {
        this.#rejectOverQuota();
        if (this.secrets.has(object.metadata.name)) {
          throw new ApiError('exists', { status: 409, reason: 'AlreadyExists' });
        }
        return this.#putSecret(object, undefined);
      },
      update: async (object: ChangedObject<Secret>) => {
        this.#rejectOverQuota();
        return this.#putSecret(object, this.#matching(object.metadata.name, object.metadata));
      },
      delete: async ({ name }: ObjectRef, preconditions: { uid: string; resourceVersion: string }) => {
        this.#matching(name, preconditions);
        this.#write(`delete ${name}`);
        this.secrets.delete(name);
      },
    };
  }

  #rejectOverQuota(): void {
    if (this.isOverQuota) throw new ApiError('quota', { status: 403, reason: 'Forbidden' });
  }

  #matching(name: string, { uid, resourceVersion }: { uid: string; resourceVersion: string }): StoredSecret {
    const secret = this.secrets.get(name);
    if (secret === undefined) throw notFound();
    if (secret.uid !== uid || secret.resourceVersion !== resourceVersion) throw conflict();
    return secret;
  }

  #putSecret({ metadata, data = {} }: NewObject<Secret>, before: StoredSecret | undefined): Secret {
    const { name, namespace, labels = {}, annotations = {}, ownerReferences = [] } = metadata;
    const entries = Object.entries(data).map(([key, base64]) => {
      const old = before?.data[key];
      const isSame = old !== undefined && encode(key, old) === base64;
      const jwt = decode(base64);
      return { key, jwt, isSame, value: isSame ? old : { ...(jwt && { jwt }), own: true } };
    });
    const written = entries.flatMap(({ jwt, isSame }) => (jwt && !isSame ? [jwt] : []));
    this.#write(
      written.length > 0 ? `secret ${name} ${written.map(({ claims }) => claims.jti)}` : `metadata ${name}`,
    );
    this.issued.push(...written);
    this.secrets.set(name, {
      ...this.#identity(),
      ...(before && { uid: before.uid }),
      owned: ownerReferences.some(({ uid }) => uid === makeToken().metadata.uid),
      ofPredecessor: false,
      terminating: before?.terminating ?? false,
      labels,
      annotations,
      data: Object.fromEntries(entries.map(({ key, value }) => [key, value])),
      ownLabels: ownedAfter(labels, before?.labels ?? {}, before?.ownLabels ?? []),
      ownAnnotations: ownedAfter(annotations, before?.annotations ?? {}, before?.ownAnnotations ?? []),
    });
    return this.#secretAt({ namespace, name });
  }

  #tokenClient() {
    return {
      updateStatus: async ({ status }: { readonly status: TokenStatus }) => {
        if ((this.status.version ?? 0) + 1 !== status.version) throw new Error('version has to grow by one');
        this.#write('status');
        this.setStatus(status);
        return this.token;
      },
      delete: async () => {
        this.#write('delete Token');
        this.token = undefined;
        this.secrets.clear();
      },
    };
  }
}
