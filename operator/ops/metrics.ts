import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '../ports/metrics.ts';
import { FAST } from './buckets.ts';
import { requestMetrics } from './request-metrics.ts';

/** What is counted at scrape time, by looking at an index's sizes. */
export interface Population {
  /** Tokens by the reason of their condition Ready; `Issuing` where there is no condition yet. */
  tokensByState(): Readonly<Record<string, number>>;
  /** OAuthClients by the reason of their condition Ready, `Unregistered` where there is none; `OtherIssuer` for those of other issuers. */
  clientsByState(): Readonly<Record<string, number>>;
  /** Keys of all SigningKeys by phase. */
  keysByPhase(): Readonly<Record<string, number>>;
  /** Objects in each cache, by plural. */
  cached(): Readonly<Record<string, number>>;
  /** The part of each client's rate that this replica uses. */
  rateShare(): number;
  memoryExceeded(): boolean;
  /** Objects with records that were created again, by plural. */
  restored(): Readonly<Record<string, number>>;
  /** By watched namespace, 1 if it can't be watched. */
  deniedNamespaces(): Readonly<Record<string, number>>;
}

/** The registry that /metrics shows, and the port that fills it. */
export interface PrometheusMetrics extends Metrics {
  readonly registry: Registry;
  /** Sets what the population gauges read from. */
  watch(population: Population): void;
}

const reconcileMetrics = (registers: Registry[]) => ({
  reconciles: new Counter({
    name: 'm2moauth_reconciles_total',
    help: 'Reconciles by kind of resource and outcome (done, requeued, conflict, error).',
    labelNames: ['kind', 'outcome'],
    registers,
  }),
  reconcileSeconds: new Histogram({
    name: 'm2moauth_reconcile_seconds',
    help: 'Duration of a reconcile.',
    labelNames: ['kind'],
    buckets: FAST,
    registers,
  }),
  depth: new Gauge({
    name: 'm2moauth_workqueue_depth',
    help: 'Keys that wait in a work queue now.',
    labelNames: ['kind'],
    registers,
  }),
  wait: new Histogram({
    name: 'm2moauth_workqueue_wait_seconds',
    help: 'Time that a key waited in its work queue after it was due.',
    labelNames: ['kind'],
    buckets: FAST,
    registers,
  }),
});

const tokenMetrics = (registers: Registry[]) => ({
  issued: new Counter({
    name: 'm2moauth_tokens_issued_total',
    help: 'JWTs issued for declared Tokens, by cause (first issue, renewal, changed claims, …).',
    labelNames: ['cause'],
    registers,
  }),
  renewed: new Counter({
    name: 'm2moauth_token_renewals_total',
    help: 'JWTs issued because the one before was due for renewal.',
    registers,
  }),
  blacklisted: new Counter({
    name: 'm2moauth_tokens_blacklisted_total',
    help: 'Declared and issued tokens that became blacklisted while this replica led, whoever requested it.',
    registers,
  }),
  collected: new Counter({
    name: 'm2moauth_tokens_collected_total',
    help: 'Expired Tokens deleted after their time to live.',
    registers,
  }),
  signing: new Histogram({
    name: 'm2moauth_signing_seconds',
    help: 'Time to sign one JWT.',
    labelNames: ['algorithm'],
    buckets: FAST,
    registers,
  }),
});

const apiMetrics = (registers: Registry[]) => ({
  requests: new Counter({
    name: 'm2moauth_api_requests_total',
    help: 'Requests to the API server by verb and HTTP status (0: no answer).',
    labelNames: ['verb', 'code'],
    registers,
  }),
  requestSeconds: new Histogram({
    name: 'm2moauth_api_request_seconds',
    help: 'Duration of a request to the API server, watches left out.',
    labelNames: ['verb'],
    buckets: FAST,
    registers,
  }),
  restarts: new Counter({
    name: 'm2moauth_watch_restarts_total',
    help: 'Watches started again, by resource and why (closed, error, expired, stalled, rewound).',
    labelNames: ['resource', 'why'],
    registers,
  }),
  events: new Counter({
    name: 'm2moauth_events_dropped_total',
    help: 'Kubernetes Events dropped by rate limiting or after failed writes.',
    registers,
  }),
  leader: new Gauge({ name: 'm2moauth_leader', help: '1 while this replica holds the lease.', registers }),
  skew: new Gauge({
    name: 'm2moauth_clock_skew_seconds',
    help: 'Seconds that this clock is ahead of the API server.',
    registers,
  }),
});

const setAll = (gauge: Gauge, label: string, counts: Readonly<Record<string, number>>): void => {
  gauge.reset();
  for (const [value, count] of Object.entries(counts)) gauge.set({ [label]: value }, count);
};

const populationMetrics = (registers: Registry[], population: () => Population | undefined): void => {
  const gauge = (
    name: string,
    help: string,
    label: string,
    read: (population: Population) => Readonly<Record<string, number>>,
  ) =>
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        const now = population();
        if (now) setAll(this, label, read(now));
      },
    });
  gauge('m2moauth_tokens', 'Declared Tokens by state (the reason of Ready).', 'state', (p) =>
    p.tokensByState(),
  );
  gauge(
    'm2moauth_clients',
    'OAuthClients by state (the reason of Ready; OtherIssuer: left to another issuer).',
    'state',
    (p) => p.clientsByState(),
  );
  gauge('m2moauth_signing_keys', 'Signing keys by phase.', 'phase', (p) => p.keysByPhase());
  gauge('m2moauth_cached_objects', 'Objects in this replica’s caches.', 'resource', (p) => p.cached());
  gauge(
    'm2moauth_restored_records',
    'IssuedTokens and TokenBatches that were created again long after their tokens were issued, which are rejected.',
    'resource',
    (p) => p.restored(),
  );
  gauge(
    'm2moauth_denied_namespaces',
    '1 for a namespace of watchNamespaces that this replica can not watch: deleted, or without the roles of the operator.',
    'watched_namespace',
    (p) => p.deniedNamespaces(),
  );
  const single = (name: string, help: string, read: (population: Population) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const now = population();
        if (now) this.set(read(now));
      },
    });
  single(
    'm2moauth_rate_share',
    'The part of each rate limit that this replica uses; 1 divided by the number of replicas, less if it has just started.',
    (p) => p.rateShare(),
  );
  single(
    'm2moauth_memory_watermark_exceeded',
    '1 while this replica issues no tokens because it has too little memory left.',
    (p) => (p.memoryExceeded() ? 1 : 0),
  );
};

/** Values of the label `outcome` of m2moauth_jwt_judgements_total: dashboards query them, so they keep their names. */
const VALIDATION_LABELS = { valid: 'good', invalid: 'bad', unavailable: 'unavailable' } as const;

/** Metrics on a registry of their own; `processMetrics: false` leaves out those of the Node process (tests). */
export const createMetrics = (options: { readonly processMetrics: boolean }): PrometheusMetrics => {
  const registry = new Registry();
  const registers = [registry];
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  let population: Population | undefined;
  populationMetrics(registers, () => population);
  const reconciles = reconcileMetrics(registers);
  const tokens = tokenMetrics(registers);
  const api = apiMetrics(registers);
  const servers = requestMetrics(registers);
  return {
    registry,
    watch: (next) => {
      population = next;
    },
    reconciled: (kind, outcome, seconds) => {
      reconciles.reconciles.inc({ kind, outcome });
      reconciles.reconcileSeconds.observe({ kind }, seconds);
    },
    queueDepth: (kind, depth) => reconciles.depth.set({ kind }, depth),
    queueWaited: (kind, seconds) => reconciles.wait.observe({ kind }, seconds),
    tokenIssued: (cause) => {
      tokens.issued.inc({ cause });
      if (cause === 'Renewed') tokens.renewed.inc();
    },
    tokenBlacklisted: () => tokens.blacklisted.inc(),
    tokenCollected: () => tokens.collected.inc(),
    signed: (algorithm, seconds) => tokens.signing.observe({ algorithm }, seconds),
    apiRequest: (verb, code, seconds) => {
      api.requests.inc({ verb, code: String(code) });
      if (verb !== 'watch') api.requestSeconds.observe({ verb }, seconds);
    },
    watchRestarted: (resource, why) => api.restarts.inc({ resource, why }),
    eventDropped: () => api.events.inc(),
    leading: (isLeader) => api.leader.set(isLeader ? 1 : 0),
    clockSkew: (seconds) => api.skew.set(seconds),
    grpcCall: (method, code, seconds) => {
      servers.calls.inc({ method, code });
      servers.callSeconds.observe({ method }, seconds);
    },
    httpRequest: (labels, seconds) => {
      servers.requests.inc(labels);
      servers.requestSeconds.observe({ route: labels.route }, seconds);
    },
    limited: (server, limit, action) => servers.limited.inc({ server, limit, action }),
    tokenIssuedOnDemand: (method) => servers.recordObjects.inc({ method }),
    tokenRequestRejected: (why) => servers.rejected.inc({ why }),
    authenticationFailed: (why) => servers.failed.inc({ why }),
    requestDropped: (queue) => servers.dropped.inc({ queue }),
    jwtValidated: (outcome) => servers.jwtValidated.inc({ outcome: VALIDATION_LABELS[outcome] }),
    revocationSeen: (seconds) => servers.revocations.observe(seconds),
    recordsCollected: (why, count) => servers.collected.inc({ why }, count),
  };
};
