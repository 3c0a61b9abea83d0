import { randomBytes } from 'node:crypto';
import { expect } from '@jest/globals';
import { API_VERSION, MANAGED_BY_LABEL, MANAGER } from '../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import { newClientSecret } from '../../../operator/crypto/client-secret.ts';
import { findJwkProblem } from '../../../operator/crypto/public-jwk.ts';
import { listWatchObjects, listWatchSecretMeta } from '../../../operator/kube/list-watch.ts';
import { createResourceClient } from '../../../operator/kube/resource-client.ts';
import { OAUTH_CLIENTS, SECRETS } from '../../../operator/kube/resource-types.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { jsonFetcher } from '../../../operator/outbound/fetch-json.ts';
import type { EventNote } from '../../../operator/ports/events.ts';
import type { FetchJson } from '../../../operator/ports/outbound.ts';
import type { Secret, SecretMeta } from '../../../operator/ports/secrets.ts';
import { CLIENT_INDEXERS } from '../../../operator/reconcilers/oauth-client/client-indexes.ts';
import { OAuthClientReconciler } from '../../../operator/reconcilers/oauth-client/client-reconciler.ts';
import {
  clientOfFollower,
  clientOfSecret,
  clientTriggers,
} from '../../../operator/reconcilers/oauth-client/client-triggers.ts';
import { ClientCredentialsReconciler } from '../../../operator/reconcilers/oauth-client/credentials-reconciler.ts';
import { Controller } from '../../../operator/runtime/controller.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { NamedSecretWatches } from '../../../operator/runtime/named-secrets.ts';
import { bodyOf, type KubeObject, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { issuerSettings } from '../../support/issuer-settings.ts';
import { openKube } from '../../support/kube.ts';
import { type Fault, guardClient } from './guarded-client.ts';

const settings = issuerSettings({
  url: 'https://issuer.example.com/m2m',
  ownerClaim: 'https://example.com/owner',
});

type Kind = 'OAuthClient' | 'Secret';

/** Two namespaces of a real API server, the reconcilers of OAuthClients on real caches, and a clock that the test moves. */
export class ClientEnv implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly events: EventNote[] = [];
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  readonly kube = openKube();
  readonly api: TestApi;
  readonly namespace: string;
  readonly otherNamespace: string;
  /** What outbound fetches go through. */
  fetchJson: FetchJson = jsonFetcher({ caFile: '', allowedCIDRs: [] });
  #controllers: readonly Controller[] = [];
  #stop: (() => Promise<void>) | undefined;

  private constructor(api: TestApi, namespaces: readonly [string, string]) {
    this.api = api;
    [this.namespace, this.otherNamespace] = namespaces;
  }

  /** Starts at once unless `started` is false: what is created before {@link ClientEnv.start} exists already. */
  static async open({ started = true } = {}): Promise<ClientEnv> {
    const api = testApi();
    const env = new ClientEnv(api, [
      await api.createNamespace('clients'),
      await api.createNamespace('others'),
    ]);
    if (started) await env.start();
    return env;
  }

  get writes(): string[] {
    return this.calls.filter((call) => !call.startsWith('get '));
  }

  #informers() {
    const { client, log, metrics } = this.kube;
    const around = { clock: systemClock, random: Math.random, log, metrics };
    const namespaces = [this.namespace, this.otherNamespace];
    const labelSelector = `${MANAGED_BY_LABEL}=${MANAGER}`;
    const clients = new Informer<OAuthClient>({
      ...around,
      name: 'oauthclients',
      sources: namespaces.map((namespace) => ({
        namespace,
        listWatch: listWatchObjects<OAuthClient>(client, OAUTH_CLIENTS, { namespace }),
      })),
      indexers: CLIENT_INDEXERS,
    });
    const secrets = new Informer<SecretMeta>({
      ...around,
      name: 'secrets',
      sources: namespaces.map((namespace) => ({
        namespace,
        listWatch: listWatchSecretMeta(client, { namespace, labelSelector }),
      })),
    });
    const named = new NamedSecretWatches({
      ...around,
      sourceOf: (ref) =>
        listWatchSecretMeta(client, { namespace: ref.namespace, fieldSelector: `metadata.name=${ref.name}` }),
    });
    return { clients, secrets, named };
  }

  #reconcilers({ clients, named }: { clients: Informer<OAuthClient>; named: NamedSecretWatches }) {
    const { client, log } = this.kube;
    const shared = {
      clients: clients.cache,
      oauthClients: guardClient(createResourceClient<OAuthClient>(client, OAUTH_CLIENTS), this),
      events: { record: (note: EventNote) => void this.events.push(note) },
      clock: this.clock,
      log,
    };
    const registration = new OAuthClientReconciler({ ...shared, settings });
    const credentials = new ClientCredentialsReconciler({
      ...shared,
      secretClient: guardClient(createResourceClient<Secret>(client, SECRETS), this),
      newClientSecret: () => newClientSecret(randomBytes),
      fetchJson: (...asked) => this.fetchJson(...asked),
      findJwkProblem,
      named,
      random: () => 0.5,
    });
    return { registration, credentials };
  }

  /** Starts the operator's part; {@link ClientEnv.stop} and this again are a restart. */
  async start(): Promise<void> {
    const { log, metrics } = this.kube;
    const { clients, secrets, named } = this.#informers();
    const { registration, credentials } = this.#reconcilers({ clients, named });
    const around = { seed: () => clients.cache.keys(), clock: this.clock, random: Math.random, log, metrics };
    const controllerOf = (
      name: string,
      concurrency: number,
      {
        reconcile,
      }: { reconcile: (key: string, signal: AbortSignal) => ReturnType<OAuthClientReconciler['reconcile']> },
    ) => new Controller({ name, concurrency, reconcile, defer: setImmediate, ...around });
    const registers = controllerOf('OAuthClient', 1, {
      reconcile: (key, signal) => registration.reconcile(key, signal),
    });
    const verifies = controllerOf('OAuthClientCredentials', 4, {
      reconcile: (key, signal) => credentials.reconcile(key, signal),
    });
    const verify = (key: string | undefined): void => {
      if (key !== undefined) verifies.queue.add(key);
    };
    clients.cache.onChange((change) => {
      for (const key of clientTriggers(change, clients.cache)) registers.queue.add(key);
      verify(change.key);
    });
    secrets.cache.onChange((change) =>
      verify(clientOfSecret(change.type === 'set' ? change.object : change.old)),
    );
    named.onChange((owner) => verify(clientOfFollower(owner)));
    const ending = new AbortController();
    const informers = [clients, secrets];
    for (const informer of informers) informer.start(ending.signal);
    await Promise.all(informers.map((informer) => informer.whenSynced(ending.signal)));
    this.#controllers = [registers, verifies];
    for (const controller of this.#controllers) controller.start(ending.signal);
    this.#stop = async () => {
      ending.abort();
      await Promise.all([named.stop(), ...informers.map((informer) => informer.stopped())]);
    };
  }

  /** Resolves when no key is due and none is worked on. */
  async idle(): Promise<void> {
    await eventually(() => {
      expect(this.#controllers.map(({ queue }) => [queue.depth, queue.processing].join())).toEqual([
        '0,0',
        '0,0',
      ]);
    });
  }

  /** {@link eventually}, in which a retry after a failure does not have to wait for the test’s clock. */
  until<T>(look: () => T | Promise<T>): Promise<T> {
    return eventually(async () => {
      const isRetrying = this.#controllers.some(({ queue }) => queue.delayed > 0);
      const next = this.clock.untilNext;
      if (isRetrying && next !== undefined && next < 2000) await this.clock.advance(next);
      return look();
    });
  }

  async stop(): Promise<void> {
    await this.#stop?.();
    this.#stop = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.kube.close();
    await this.api.close();
  }

  ref(kind: Kind, name: string, namespace = this.namespace) {
    return { apiVersion: kind === 'Secret' ? 'v1' : API_VERSION, kind, metadata: { namespace, name } };
  }

  async create(
    name: string,
    spec: Record<string, unknown> = {},
    namespace = this.namespace,
  ): Promise<KubeObject> {
    const object = { ...this.ref('OAuthClient', name, namespace), spec: { owner: 'alice', ...spec } };
    return bodyOf(await this.api.create(object));
  }

  async get(
    name: string,
    { kind = 'OAuthClient' as Kind, namespace = this.namespace } = {},
  ): Promise<KubeObject> {
    return bodyOf(await this.api.get(this.ref(kind, name, namespace)));
  }

  async patch(name: string, patch: unknown, kind: Kind = 'OAuthClient'): Promise<KubeObject> {
    return bodyOf(await this.api.patch(this.ref(kind, name), 'merge', patch));
  }

  async secret(name: string, data: Record<string, string>): Promise<void> {
    bodyOf(await this.api.create({ ...this.ref('Secret', name), stringData: data }));
  }

  /** Waits until a condition of the client has that reason, and the queues are empty. */
  async reason(
    name: string,
    type: 'Ready' | 'CredentialsReady',
    reason: string,
    namespace = this.namespace,
  ): Promise<KubeObject> {
    const found = await this.until(async () => {
      const client = await this.get(name, { namespace });
      expect(conditionOf(client, type)).toMatchObject({ reason });
      return client;
    });
    await this.idle();
    return found;
  }
}

export const conditionOf = (object: KubeObject, type: 'Ready' | 'CredentialsReady') =>
  object.status?.conditions?.find((condition: { type: string }) => condition.type === type);
