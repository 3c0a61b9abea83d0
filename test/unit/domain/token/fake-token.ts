import { API_VERSION, MANAGED_BY_LABEL, MANAGER } from '../../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { KeyPhase } from '../../../../operator/api/signing-key.ts';
import type { Token, TokenSpec, TokenStatus } from '../../../../operator/api/token.ts';
import type { IssuerSettings } from '../../../../operator/domain/jwt/claims.ts';
import {
  needsContent,
  type SecretRemoval,
  secretNameOf,
} from '../../../../operator/domain/token/secret-content.ts';
import type {
  ObservedSecret,
  SecretFailure,
  TokenObservation,
} from '../../../../operator/domain/token/token-observation.ts';
import { planToken } from '../../../../operator/domain/token/token-plan.ts';
import type { TokenPlan } from '../../../../operator/domain/token/token-status.ts';

/** 2026-01-01T00:00:00Z. */
export const START = Date.UTC(2026, 0, 1);

export const settings: IssuerSettings = {
  url: 'https://issuer.example',
  ownerClaim: 'sub',
  deviceIDClaim: '',
  tokenType: 'at+jwt',
  backdateMs: 0,
};

type Claims = Readonly<Record<string, unknown>>;
interface StoredJwt {
  readonly kid: string;
  readonly claims: Claims;
}
interface StoredSecret {
  uid: string;
  resourceVersion: string;
  owned: boolean;
  ofPredecessor: boolean;
  terminating: boolean;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** A JWT, or a text that is none. */
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

/** A model of the API server with one Token in it, and what the reconciler does there, one write at a time. */
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
  /** Every JWT that was ever put into a Secret. */
  issued: StoredJwt[] = [];
  /** Why each issuance was made whose status is written. */
  causes: (TokenPlan & { kind: 'deliver' })['cause'][] = [];
  /** Writes still allowed before the pass crashes. */
  budget = Number.POSITIVE_INFINITY;
  refuse: SecretFailure | undefined;
  #counter = 1;

  constructor(token: Token = makeToken()) {
    this.token = token;
  }

  /** A copy of this state. */
  fork(): FakeToken {
    const other = new FakeToken();
    const { token, client, namespaceLabels, secrets, phases, issued, writes } = structuredClone(this);
    Object.assign(other, { token, client, namespaceLabels, secrets, phases, issued, writes });
    Object.assign(other, { activeKid: this.activeKid, now: this.now, refuse: this.refuse });
    other.#counter = this.#counter;
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

  #identity() {
    this.#counter += 1;
    return { uid: `secret-${this.#counter}`, resourceVersion: String(this.#counter) };
  }

  #observeSecret(name: string, secret: StoredSecret, isContentRead: boolean): ObservedSecret {
    const keys = Object.keys(secret.data);
    return {
      name,
      uid: secret.uid,
      resourceVersion: secret.resourceVersion,
      owned: secret.owned,
      ofPredecessor: secret.ofPredecessor,
      terminating: secret.terminating,
      labels: secret.labels,
      annotations: secret.annotations,
      fields: {
        ownData: keys.filter((key) => secret.data[key]?.own),
        dataOfOtherManagers: keys.filter((key) => !secret.data[key]?.own),
        ownLabels: secret.ownLabels,
        ownAnnotations: secret.ownAnnotations,
      },
      jwts: isContentRead
        ? Object.entries(secret.data).flatMap(([dataKey, { jwt }]) => {
            const phase = jwt && this.phases.get(jwt.kid);
            return jwt && phase !== undefined && phase !== 'Compromised' ? [{ dataKey, ...jwt }] : [];
          })
        : undefined,
    };
  }

  /** What the caches hold, and a Secret that a create found under its name. */
  observe(found?: string): TokenObservation {
    const token = this.token ?? makeToken();
    const secrets = [...this.secrets].flatMap(([name, secret]) => {
      const isInCache = secret.owned && secret.labels[MANAGED_BY_LABEL] === MANAGER;
      if (!isInCache && name !== found) return [];
      const metadata = this.#observeSecret(name, secret, false);
      const isRead = name === found || needsContent(token, metadata);
      return [this.#observeSecret(name, secret, isRead)];
    });
    return {
      token,
      client: this.client,
      namespaceLabels: this.namespaceLabels,
      secrets,
      keys: { activeKid: this.activeKid, phase: (kid) => this.phases.get(kid) },
      settings: this.settings,
      now: this.now,
    };
  }

  plan(): TokenPlan {
    return planToken(
      this.observe(
        this.status.conditions?.some(({ reason }) => reason === 'SecretConflict' || reason === 'Issuing')
          ? secretNameOf(this.token ?? makeToken())
          : undefined,
      ),
    );
  }

  #write(what: string): void {
    if (this.budget <= 0) throw new Crash(what);
    this.budget -= 1;
    this.writes.push(what);
  }

  #remove(removals: readonly SecretRemoval[]): void {
    for (const { name, observed } of removals) {
      const secret = this.secrets.get(name);
      if (!secret?.owned) continue;
      if (observed && observed.resourceVersion !== secret.resourceVersion) throw new Error('conflict');
      this.#write(`delete ${name}`);
      this.secrets.delete(name);
    }
  }

  #putStatus(status: TokenStatus | undefined): void {
    if (!status || !this.token) return;
    if ((this.status.version ?? 0) + 1 !== status.version) throw new Error('version has to grow by one');
    this.#write('status');
    this.setStatus(status);
  }

  #putSecret(plan: TokenPlan & { kind: 'deliver' }): void {
    const { write, jwt } = plan;
    const before = this.secrets.get(write.name);
    if (
      before?.uid !== write.precondition?.uid ||
      before?.resourceVersion !== write.precondition?.resourceVersion
    ) {
      throw new Error('the write is not conditional on what is there');
    }
    this.#write(jwt ? `secret ${write.name} ${jwt.claims.jti}` : `dress ${write.name}`);
    const data = write.keepsData ? { ...before?.data } : {};
    for (const key of write.drop.data) delete data[key];
    if (jwt) {
      data[write.dataKeys.jwt] = { jwt: { kid: jwt.kid, claims: jwt.claims }, own: true };
      this.issued.push({ kid: jwt.kid, claims: jwt.claims });
    }
    const keep = (have: Record<string, string>, drop: readonly string[]) =>
      Object.fromEntries(Object.entries(have).filter(([name]) => !drop.includes(name)));
    this.secrets.set(write.name, {
      ...this.#identity(),
      ...(before && { uid: before.uid }),
      owned: true,
      ofPredecessor: false,
      terminating: false,
      labels: { ...keep(before?.labels ?? {}, write.drop.labels), ...write.labels },
      annotations: { ...keep(before?.annotations ?? {}, write.drop.annotations), ...write.annotations },
      data,
      ownLabels: Object.keys(write.labels),
      ownAnnotations: Object.keys(write.annotations),
    });
  }

  apply(plan: TokenPlan): void {
    switch (plan.kind) {
      case 'wait':
        return;
      case 'adopt':
        this.#putStatus(plan.status);
        this.reconcile();
        return;
      case 'collect':
        this.#write('delete Token');
        this.token = undefined;
        this.secrets.clear();
        return;
      case 'record':
        if (plan.order === 'StatusFirst') this.#putStatus(plan.status);
        this.#remove(plan.remove);
        if (plan.order === 'SecretsFirst') this.#putStatus(plan.status);
        return;
      case 'deliver':
        if (this.refuse) {
          const observation = { ...this.observe(), failure: this.refuse };
          this.apply(planToken(observation));
          return;
        }
        if (plan.write.precondition === undefined && this.secrets.has(plan.write.name)) {
          this.apply(planToken(this.observe(plan.write.name)));
          return;
        }
        this.#putSecret(plan);
        this.#remove(plan.remove);
        this.#putStatus(plan.status);
        this.causes.push(plan.cause);
    }
  }

  /** One pass; the plan that it began with. */
  reconcile(): TokenPlan {
    const plan = this.plan();
    if (this.token) this.apply(plan);
    return plan;
  }

  /** Lets time pass, reconciling whenever the last plan asked for it. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (let turns = 0; turns < 10_000; turns += 1) {
      this.reconcile();
      const at = this.token ? this.plan().requeueAt : undefined;
      if (at === undefined || at > end) break;
      this.now = Math.max(at, this.now + 1000);
    }
    this.now = end;
    this.reconcile();
  }
}
