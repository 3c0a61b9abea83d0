import { randomBytes } from 'node:crypto';
import { hostname, totalmem } from 'node:os';
import { MANAGER } from './api/meta.ts';
import { assertionGate } from './compose/assertion-gate.ts';
import { gate } from './compose/gates.ts';
import { informersSynced, isSkewAcceptable, watchedTypes } from './compose/health.ts';
import { buildInformers, type Informers, scopesOf, watchNamed } from './compose/informers.ts';
import { buildInstallations, ownershipParts } from './compose/installations.ts';
import { buildIssuer } from './compose/issuer.ts';
import { operationsComponent } from './compose/operations.ts';
import { populationOf } from './compose/population.ts';
import { buildReconcilers } from './compose/reconcilers.ts';
import { rememberedKeysOf } from './compose/remembered-keys.ts';
import { buildReplicaLeases, podOwner, replicasComponent } from './compose/replicas.ts';
import { resourceClients } from './compose/resources.ts';
import { buildServers } from './compose/servers.ts';
import { parseProxies } from './config/proxies.ts';
import type { Config } from './config/schema.ts';
import { joseKeyPairs } from './crypto/key-pairs.ts';
import { isOfAnotherIssuer } from './domain/client/client-rules.ts';
import { announcementOf } from './domain/client/installation.ts';
import { IssuerKeyring } from './issuer/keys/keyring.ts';
import { Rejections } from './issuer/limits/rejections.ts';
import { createKubeClient, type KubeClient } from './kube/client.ts';
import { type Connection, loadConnection } from './kube/connection.ts';
import { ApiEventRecorder } from './kube/event-recorder.ts';
import { LiveHeap } from './ops/live-heap.ts';
import { createMemoryWatermark, memoryLimitOf } from './ops/memory-watermark.ts';
import { createMetrics } from './ops/metrics.ts';
import { systemClock } from './ops/system-clock.ts';
import { jsonFetcher } from './outbound/fetch-json.ts';
import { getIfThere } from './ports/kube.ts';
import type { Log } from './ports/log.ts';
import type { Metrics } from './ports/metrics.ts';
import { ReportedRejections } from './reconcilers/oauth-client/limit-reconciler.ts';
import { LeaderElection } from './runtime/leader-election.ts';
import { type Component, Manager } from './runtime/manager.ts';
import { Rewinds } from './runtime/rewinds.ts';

/** What a process is besides its configuration. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
}

/** The whole operator, wired. */
export interface Operator {
  /** Runs until `signal` aborts or the lease is lost; the exit code. */
  run(signal: AbortSignal): Promise<number>;
}

const clock = systemClock;
const defer = setImmediate;
const random = Math.random;

/** What a replica takes part in the election with. */
interface Identified {
  /** Unique to the process. */
  readonly identity: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly rewinds: Rewinds;
}

const LEASE_CONNECTIONS = 2;
/**
 * For the requests of servers, so that they do not wait behind those of reconcilers: more than what the queues of requests do at a time
 * (issuer/request-queues.ts) and the reads of client secrets, since a request that waits for a connection waits behind all others.
 */
const REQUEST_CONNECTIONS = 192;

/** Unique to the process, so that a restarted container in the same Pod is another candidate. */
const identityOf = (env: NodeJS.ProcessEnv, processID: string): string =>
  `${env.POD_NAME ?? hostname()}_${processID}`;

const createElection = (
  config: Config,
  connection: Connection,
  { identity, log, metrics, rewinds }: Identified,
): LeaderElection => {
  const { leaseDuration, renewDeadline, retryPeriod } = config.leaderElection;
  const { watchNamespaces } = config.kubernetes;
  const client = createKubeClient({ connection, clock, log, metrics });
  return new LeaderElection({
    identity,
    clock,
    random,
    log,
    metrics,
    rewinds,
    leases: resourceClients(client).leases,
    lease: { namespace: config.kubernetes.namespace, name: MANAGER },
    annotations: announcementOf({ url: config.issuer.url, watchNamespaces }),
    leaseDurationMs: leaseDuration,
    renewDeadlineMs: renewDeadline,
    retryPeriodMs: retryPeriod,
  });
};

/** The memory that this process may have is read once. */
const memoryWatermark = ({ limits }: Config, log: Log, heap: LiveHeap): (() => boolean) => {
  const limitBytes = memoryLimitOf({ constrained: process.constrainedMemory(), total: totalmem() });
  return createMemoryWatermark({
    uses:
      limitBytes === undefined
        ? {}
        : {
            resident: { limitBytes, usedBytes: () => process.memoryUsage.rss() },
            heap: { limitBytes: heap.limitBytes, usedBytes: () => heap.bytes },
          },
    percent: limits.memoryWatermark,
    clock,
    log,
  });
};

const createKeyring = (
  config: Config,
  client: KubeClient,
  { informers, log, metrics }: { informers: Informers; log: Log; metrics: Metrics },
): IssuerKeyring => {
  const { namespace } = config.kubernetes;
  const secrets = resourceClients(client).secrets;
  return new IssuerKeyring({
    clock,
    random,
    log,
    signingKeys: informers.signingKeys.cache,
    remembered: rememberedKeysOf(informers.compromisedKeys.cache, namespace),
    namespace,
    signingKey: config.issuer.signingKey,
    jwks: config.issuer.jwks,
    issuerUrl: config.issuer.url,
    previousURLs: config.issuer.previousURLs,
    keyPairs: joseKeyPairs({ metrics }),
    readSecret: (name, signal) => getIfThere(secrets, { namespace, name }, signal),
  });
};

/**
 * Wires the operator: the one place that knows every adapter. Nothing is sent before {@link Operator.run}.
 * @throws Error where there is no usable kubeconfig
 */
export const compose = async (
  config: Config,
  log: Log,
  { env, version }: Surroundings,
): Promise<Operator> => {
  const metrics = createMetrics({ processMetrics: true });
  const rewinds = new Rewinds(log);
  const watching = { clock, random, log, metrics, rewinds };
  const refused = new AbortController();
  const processID = randomBytes(4).toString('hex');
  const identity = identityOf(env, processID);
  const connection = await loadConnection({ clock, log });
  const leaseConnection = connection.separate(LEASE_CONNECTIONS);
  const requestConnection = connection.separate(REQUEST_CONNECTIONS);
  const client = createKubeClient({ connection, clock, log, metrics });
  const isClockUsable = (): boolean => isSkewAcceptable(client.clockSkew.seconds);
  const election = config.leaderElection.enabled
    ? createElection(config, leaseConnection, { identity, log, metrics, rewinds })
    : undefined;
  const isLeading = (): boolean => election?.isLeader() ?? true;
  const writer = election ? client.gated(isLeading) : client;
  const { informers, access } = buildInformers(config.kubernetes, client, {
    ...watching,
    isOfAnother: (found) => isOfAnotherIssuer(config.issuer, found),
  });
  const named = watchNamed(client, watching);
  const keyring = createKeyring(config, client, { informers, log, metrics });
  const fetchJson = jsonFetcher({ ...config.outbound, findProxy: parseProxies(env) });
  const events = new ApiEventRecorder({ client, instance: identity, clock, random, log, metrics });
  const heap = new LiveHeap();
  const isMemoryExceeded = memoryWatermark(config, log, heap);
  const rejections = new Rejections(clock);
  const rejected = new ReportedRejections(log);
  const replicas = buildReplicaLeases(config, {
    identity,
    owner: podOwner(env, config.kubernetes.namespace),
    name: `${MANAGER}-replica-${processID}`,
    client: createKubeClient({ connection: leaseConnection, clock, log, metrics }),
    informers,
    isLeading,
    report: () => rejections.report(),
    onReports: (reports) => rejected.set(reports),
    clock,
    log,
  });
  const installations = buildInstallations(config, {
    client,
    isLeading,
    onConflict: (why) => {
      log.error('this installation must not run beside another one, and ends', { why });
      refused.abort();
    },
    clock,
    log,
  });
  const reconcilers = buildReconcilers(config, {
    clock,
    defer,
    random,
    log,
    metrics,
    writer,
    informers,
    named,
    keyring,
    holdsKey: (kid) => keyring.holds(kid),
    fetchJson,
    events,
    rejected,
    isClockUsable,
    ...ownershipParts(config, { installations, informers, keyring }),
  });
  const {
    issuer,
    turns,
    stop: stopIssuer,
  } = buildIssuer(config, {
    clock,
    defer,
    log,
    metrics,
    client: createKubeClient({ connection: requestConnection, clock, log, metrics }),
    informers,
    keyring,
    fetchJson,
    isClockUsable,
    isLeading,
    scopes: () => scopesOf(config.kubernetes.watchNamespaces, access),
    share: () => replicas.share(),
    rejections,
    isMemoryExceeded,
  });
  const isSynced = informersSynced(watchedTypes(informers), clock);
  metrics.watch(populationOf(informers, { replicas, access, isMemoryExceeded }));

  const base: Component[] = [
    operationsComponent(config, {
      clock,
      log,
      registry: metrics.registry,
      client,
      informers,
      keyring,
      isServing: () => manager.ready,
    }),
    { name: 'heap', start: () => heap.start(), stop: () => heap.stop() },
    { name: 'events', start: () => undefined, stop: () => events.stop() },
    { name: 'named-secrets', start: () => undefined, stop: () => named.stop() },
    { name: 'keyring', start: () => keyring.start(), stop: () => keyring.stop() },
    { name: 'installations', start: () => installations.start(), stop: () => installations.stop() },
    replicasComponent(replicas, informers),
    { name: 'issuer', start: () => undefined, stop: stopIssuer },
    { name: 'triggers', start: () => reconcilers.connect(), stop: () => reconcilers.disconnect() },
  ];
  const manager = new Manager({
    clock,
    log,
    base,
    caches: Object.values(informers),
    servers: buildServers(config, {
      clock,
      log,
      metrics,
      issuer,
      turns,
      keys: keyring,
      version,
      isServing: () => manager.ready && isSynced.problem() === undefined,
    }),
    gates: [
      gate(() => keyring.loaded, clock),
      gate(() => replicas.isSettled, clock),
      gate(() => installations.known !== undefined, clock),
      assertionGate(informers.issued, clock),
    ],
    controllers: reconcilers.controllers,
    ...(election && { election }),
  });
  return {
    run: async (signal) => {
      const { namespace, watchNamespaces } = config.kubernetes;
      log.info('starting', { version, identity, namespace, watchNamespaces, issuer: config.issuer.url });
      if (!election) metrics.leading(true);
      try {
        const outcome = await manager.run(AbortSignal.any([signal, refused.signal]));
        log.info('ended', { outcome });
        return outcome === 'stopped' && !refused.signal.aborted ? 0 : 1;
      } finally {
        await Promise.all([connection, leaseConnection, requestConnection].map((open) => open.close()));
      }
    },
  };
};
