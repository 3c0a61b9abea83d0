import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { MANAGER } from './api/meta.ts';
import { informersSynced, isSkewAcceptable, watchedTypes } from './compose/health.ts';
import { buildInformers, type Informers } from './compose/informers.ts';
import { buildIssuer } from './compose/issuer.ts';
import { operationsComponent } from './compose/operations.ts';
import { populationOf } from './compose/population.ts';
import { buildReconcilers } from './compose/reconcilers.ts';
import { resourceClients } from './compose/resources.ts';
import { buildServers } from './compose/servers.ts';
import { signingKeyGate } from './compose/signing-key-gate.ts';
import type { Config } from './config/schema.ts';
import { joseKeyPairs } from './crypto/key-pairs.ts';
import { IssuerKeyring } from './issuer/keys/keyring.ts';
import { createKubeClient, type KubeClient } from './kube/client.ts';
import { type Connection, loadConnection } from './kube/connection.ts';
import { ApiEventRecorder } from './kube/event-recorder.ts';
import { listWatchSecretMeta } from './kube/list-watch.ts';
import { createMetrics, type PrometheusMetrics } from './ops/metrics.ts';
import { systemClock } from './ops/system-clock.ts';
import { getIfThere } from './ports/kube.ts';
import type { Log } from './ports/log.ts';
import { CLIENT_INDEXERS } from './reconcilers/oauth-client/client-indexes.ts';
import { SECRET_INDEXERS, TOKEN_INDEXERS } from './reconcilers/token/token-indexes.ts';
import type { ReflectorSurroundings } from './runtime/informer.ts';
import { LeaderElection } from './runtime/leader-election.ts';
import { type Component, Manager } from './runtime/manager.ts';
import { NamedSecretWatches } from './runtime/named-secrets.ts';

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

const LEASE_CONNECTIONS = 2;
/** The doors' own: a token that is asked for does not wait behind the work of reconcilers. */
const REQUEST_CONNECTIONS = 32;

const tools = (log: Log, metrics: PrometheusMetrics) => ({
  clock: systemClock,
  defer: setImmediate,
  random: Math.random,
  log,
  metrics,
});

/** Unique to the process, so that a restarted container in the same Pod is another candidate. */
const identityOf = (env: NodeJS.ProcessEnv): string =>
  `${env.POD_NAME ?? hostname()}_${randomBytes(4).toString('hex')}`;

const createElection = (
  config: Config,
  connection: Connection,
  around: ReturnType<typeof tools> & { readonly identity: string },
): LeaderElection => {
  const { leaseDuration, renewDeadline, retryPeriod } = config.leaderElection;
  const client = createKubeClient({ ...around, connection });
  return new LeaderElection({
    ...around,
    leases: resourceClients(client).leases,
    lease: { namespace: config.kubernetes.namespace, name: MANAGER },
    leaseDurationMs: leaseDuration,
    renewDeadlineMs: renewDeadline,
    retryPeriodMs: retryPeriod,
  });
};

const createKeyring = (
  config: Config,
  client: KubeClient,
  around: ReturnType<typeof tools> & { readonly informers: Informers },
): IssuerKeyring => {
  const { namespace } = config.kubernetes;
  const secrets = resourceClients(client).secrets;
  return new IssuerKeyring({
    ...around,
    signingKeys: around.informers.signingKeys.cache,
    namespace,
    signingKey: config.issuer.signingKey,
    issuerUrl: config.issuer.url,
    keyPairs: joseKeyPairs({ metrics: around.metrics }),
    readSecret: (name, signal) => getIfThere(secrets, { namespace, name }, signal),
  });
};

const watchNamed = (client: KubeClient, around: ReflectorSurroundings): NamedSecretWatches =>
  new NamedSecretWatches({
    ...around,
    sourceOf: ({ namespace, name }) =>
      listWatchSecretMeta(client, { namespace, fieldSelector: `metadata.name=${name}` }),
  });

const informerSurroundings = (around: ReflectorSurroundings) => ({
  ...around,
  tokenIndexers: TOKEN_INDEXERS,
  clientIndexers: CLIENT_INDEXERS,
  secretIndexers: SECRET_INDEXERS,
});

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
  const around = tools(log, metrics);
  const identity = identityOf(env);
  const connection = await loadConnection(around);
  const leaseConnection = connection.separate(LEASE_CONNECTIONS);
  const requestConnection = connection.separate(REQUEST_CONNECTIONS);
  const client = createKubeClient({ ...around, connection });
  const isClockUsable = (): boolean => isSkewAcceptable(client.clockSkewSeconds());
  const election = config.leaderElection.enabled
    ? createElection(config, leaseConnection, { ...around, identity })
    : undefined;
  const isLeading = (): boolean => election?.isLeader() ?? true;
  const writer = election ? client.gated(isLeading) : client;
  const informers = buildInformers(config, client, informerSurroundings(around));
  const named = watchNamed(client, around);
  const keyring = createKeyring(config, client, { ...around, informers });
  const events = new ApiEventRecorder({ ...around, client, instance: identity });
  const reconcilers = buildReconcilers(config, {
    ...around,
    writer,
    informers,
    named,
    keyring,
    events,
    isClockUsable,
  });
  const { issuer, stop: stopIssuer } = buildIssuer(config, {
    ...around,
    client: createKubeClient({ ...around, connection: requestConnection }),
    informers,
    keyring,
    isClockUsable,
    isLeading,
  });
  const isSynced = informersSynced(watchedTypes(informers), around.clock);
  metrics.watch(populationOf(informers));

  const base: Component[] = [
    operationsComponent(config, { ...around, client, informers, keyring, isServing: () => manager.ready }),
    { name: 'events', start: () => undefined, stop: () => events.stop() },
    { name: 'named-secrets', start: () => undefined, stop: () => named.stop() },
    { name: 'keyring', start: () => keyring.start(), stop: () => keyring.stop() },
    { name: 'issuer', start: () => undefined, stop: stopIssuer },
    { name: 'triggers', start: () => reconcilers.connect(), stop: () => reconcilers.disconnect() },
  ];
  const manager = new Manager({
    ...around,
    base,
    caches: Object.values(informers),
    servers: buildServers(config, {
      ...around,
      issuer,
      keys: keyring,
      version,
      isServing: () => manager.ready && isSynced.problem() === undefined,
    }),
    gates: [signingKeyGate(keyring, around.clock)],
    controllers: reconcilers.controllers,
    ...(election && { election }),
  });
  return {
    run: async (signal) => {
      const { namespace, watchNamespaces } = config.kubernetes;
      log.info('starting', { version, identity, namespace, watchNamespaces, issuer: config.issuer.url });
      if (!election) metrics.leading(true);
      try {
        const outcome = await manager.run(signal);
        log.info('ended', { outcome });
        return outcome === 'stopped' ? 0 : 1;
      } finally {
        await Promise.all([connection, leaseConnection, requestConnection].map((open) => open.close()));
      }
    },
  };
};
