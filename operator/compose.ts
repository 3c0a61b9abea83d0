import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { CRD_REVISION } from './api/crd.ts';
import { clockAgrees, informersAlive, informersInStep, isClockUsable } from './compose/health.ts';
import { buildInformers, type Informers } from './compose/informers.ts';
import { populationOf } from './compose/population.ts';
import { buildReconcilers } from './compose/reconcilers.ts';
import type { Config } from './config/schema.ts';
import { joseKeyPairs } from './crypto/key-pairs.ts';
import { IssuerKeyring } from './issuer/keys/keyring.ts';
import { createKubeClient, type KubeClient } from './kube/client.ts';
import { type Connection, loadConnection } from './kube/connection.ts';
import { createCrdRevisions } from './kube/crd-revisions.ts';
import { ApiEventRecorder } from './kube/event-recorder.ts';
import { listWatchSecretMeta } from './kube/list-watch.ts';
import { createResourceClient } from './kube/resource-client.ts';
import {
  ISSUED_TOKENS,
  LEASES,
  OAUTH_CLIENTS,
  SECRETS,
  SIGNING_KEYS,
  TOKENS,
} from './kube/resource-types.ts';
import { createLoopCheck } from './ops/health.ts';
import { createMetrics, type PrometheusMetrics } from './ops/metrics.ts';
import { createOpsServer } from './ops/server.ts';
import { systemClock } from './ops/system-clock.ts';
import { getIfThere } from './ports/kube.ts';
import type { Lease } from './ports/lease.ts';
import type { Log } from './ports/log.ts';
import type { Secret } from './ports/secrets.ts';
import { CLIENT_INDEXERS } from './reconcilers/client-indexes.ts';
import { SECRET_INDEXERS, TOKEN_INDEXERS } from './reconcilers/token-indexes.ts';
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

/** Name of the Lease, and of the field manager and label of all that the operator makes. */
const LEASE_NAME = 'm2m-oauth-operator';
const LEASE_CONNECTIONS = 2;
const KEY_PATIENCE_MS = 5_000;
const KEY_POLL_MS = 20;

const tools = (log: Log, metrics: PrometheusMetrics) => ({
  clock: systemClock,
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
    leases: createResourceClient<Lease>(client, LEASES),
    lease: { namespace: config.kubernetes.namespace, name: LEASE_NAME },
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
  const secrets = createResourceClient<Secret>(client, SECRETS);
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

/** Probes and metrics: first up, last down. */
const opsComponent = (
  config: Config,
  parts: ReturnType<typeof tools> & {
    readonly client: KubeClient;
    readonly informers: Informers;
    readonly isServing: () => boolean;
    readonly keyring: IssuerKeyring;
  },
): Component => {
  const { client, clock, informers, keyring, log, metrics } = parts;
  const watched: { name: string; health: Informers['tokens']['health'] }[] = Object.values(informers);
  const loop = createLoopCheck(clock);
  const stopping = new AbortController();
  const types = [TOKENS, ISSUED_TOKENS, OAUTH_CLIENTS, SIGNING_KEYS];
  const crds = createCrdRevisions({ client, clock, types, wanted: CRD_REVISION });
  const server = createOpsServer({
    address: config.ops.address,
    registry: metrics.registry,
    live: [loop, informersAlive(watched, clock)],
    ready: [
      informersInStep(watched, clock),
      { name: 'crds', problem: () => crds.problem() },
      clockAgrees(() => client.clockSkewSeconds()),
      { name: 'keyring', problem: () => (keyring.loaded ? undefined : 'the signing key is not read yet') },
      { name: 'started', problem: () => (parts.isServing() ? undefined : 'starting or stopping') },
    ],
  });
  return {
    name: 'operations',
    start: async () => {
      crds.start(stopping.signal);
      const port = await server.start();
      log.info('operations listener started', { host: config.ops.address.host, port });
    },
    stop: async () => {
      stopping.abort();
      loop.stop();
      await server.stop();
    },
  };
};

/** The first passes need what signs: without this wait they would call it missing. A key that can't be read holds up nothing for long. */
const whenLoaded = async (keyring: IssuerKeyring, signal: AbortSignal): Promise<void> => {
  const giveUpAt = systemClock.monotonic() + KEY_PATIENCE_MS;
  while (!keyring.loaded && !signal.aborted && systemClock.monotonic() < giveUpAt) {
    await new Promise<void>((resolve) => systemClock.after(KEY_POLL_MS, resolve));
  }
};

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
  const connection = loadConnection(around);
  const leaseConnection = connection.separate(LEASE_CONNECTIONS);
  const client = createKubeClient({ ...around, connection });
  const election = config.leaderElection.enabled
    ? createElection(config, leaseConnection, { ...around, identity })
    : undefined;
  const writer = election ? client.gated(() => election.isLeader()) : client;
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
    isClockUsable: () => isClockUsable(client.clockSkewSeconds()),
  });
  metrics.watch(populationOf(informers));

  const base: Component[] = [
    opsComponent(config, { ...around, client, informers, keyring, isServing: () => manager.ready }),
    { name: 'events', start: () => undefined, stop: () => events.stop() },
    { name: 'named-secrets', start: () => undefined, stop: () => named.stop() },
    { name: 'keyring', start: () => keyring.start(), stop: () => keyring.stop() },
    { name: 'triggers', start: () => reconcilers.connect(), stop: () => reconcilers.disconnect() },
  ];
  const manager = new Manager({
    ...around,
    base,
    caches: Object.values(informers),
    doors: [{ name: 'signing-key', start: (stop) => whenLoaded(keyring, stop), stop: () => undefined }],
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
        await Promise.all([connection.close(), leaseConnection.close()]);
      }
    },
  };
};
