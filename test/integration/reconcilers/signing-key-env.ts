import { expect } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import type { KeyEntry, SigningKey } from '../../../operator/api/signing-key.ts';
import { joseKeyPairs } from '../../../operator/crypto/key-pairs.ts';
import { SIGNING_KEY_LABEL } from '../../../operator/domain/key/key-secrets.ts';
import type { CachedTokenBatch } from '../../../operator/domain/record/cached-token-batch.ts';
import { IssuerKeyring } from '../../../operator/issuer/keys/keyring.ts';
import { listWatchObjects } from '../../../operator/kube/list-watch.ts';
import { createResourceClient } from '../../../operator/kube/resource-client.ts';
import { CONFIG_MAPS, SECRETS, SIGNING_KEYS } from '../../../operator/kube/resource-types.ts';
import type { ConfigMap } from '../../../operator/ports/config-maps.ts';
import type { EventNote } from '../../../operator/ports/events.ts';
import { isNotFound } from '../../../operator/ports/kube.ts';
import type { Secret } from '../../../operator/ports/secrets.ts';
import { RecordExpirations } from '../../../operator/reconcilers/record/record-expirations.ts';
import { SigningKeyReconciler } from '../../../operator/reconcilers/signing-key/signing-key-reconciler.ts';
import {
  signingKeyOfFollower,
  signingKeyOfJwks,
  signingKeyOfSecret,
  signingKeyTriggers,
} from '../../../operator/reconcilers/signing-key/signing-key-triggers.ts';
import { Controller } from '../../../operator/runtime/controller.ts';
import { ObjectStore } from '../../../operator/runtime/object-store.ts';
import { bodyOf, type KubeObject, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { openKube } from '../../support/kube.ts';
import { type Fault, guardClient } from './guarded-client.ts';
import { buildCaches } from './signing-key-caches.ts';

export const ISSUER_URL = 'https://issuer.example.com/m2m';

type Kind = 'SigningKey' | 'Secret' | 'ConfigMap' | 'Token' | 'IssuedToken';

/** A namespace of a real API server as the operator's own, the SigningKey reconciler and the keyring on real caches, and a clock that the test moves. */
export class SigningKeyEnv implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly events: EventNote[] = [];
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  readonly kube = openKube();
  readonly api: TestApi;
  readonly namespace: string;
  #keyring: IssuerKeyring | undefined;
  #controller: Controller | undefined;
  #stop: (() => Promise<void>) | undefined;

  private constructor(api: TestApi, namespace: string) {
    this.api = api;
    this.namespace = namespace;
  }

  static async open(): Promise<SigningKeyEnv> {
    const api = testApi();
    const env = new SigningKeyEnv(api, await api.createNamespace('keys'));
    await env.start();
    return env;
  }

  get keyring(): IssuerKeyring {
    if (!this.#keyring) throw new Error('not started');
    return this.#keyring;
  }

  get writes(): string[] {
    return this.calls.filter((call) => !call.startsWith('get '));
  }

  /** Starts the operator's part; {@link SigningKeyEnv.stop} and this again are a restart. */
  async start(): Promise<void> {
    const { client, log, metrics } = this.kube;
    const { namespace, clock } = this;
    const { around, named, ...informersByKind } = buildCaches(this.kube, namespace);
    const { signingKeys, tokens, records, secrets, configMaps } = informersByKind;
    const recordObjects = new RecordExpirations({
      issued: records.cache,
      batches: new ObjectStore<CachedTokenBatch>({ log }),
    });
    recordObjects.connect();
    const keyPairs = joseKeyPairs();
    const secretClient = createResourceClient<Secret>(client, SECRETS);
    const reconciler = new SigningKeyReconciler({
      namespace,
      signingKeys: signingKeys.cache,
      configMaps: configMaps.cache,
      tokens: tokens.cache,
      recordObjects,
      signingKeyClient: guardClient(createResourceClient<SigningKey>(client, SIGNING_KEYS), this),
      secretClient: guardClient(secretClient, this),
      configMapClient: guardClient(createResourceClient<ConfigMap>(client, CONFIG_MAPS), this),
      keySecrets: listWatchObjects<Secret>(client, SECRETS, { namespace, labelSelector: SIGNING_KEY_LABEL }),
      keyPairs,
      named,
      events: { record: (note) => this.events.push(note) },
      clock,
      log,
    });
    const controller = new Controller({
      defer: setImmediate,
      name: 'SigningKey',
      concurrency: 1,
      reconcile: (key, signal) => reconciler.reconcile(key, signal),
      seed: () => signingKeys.cache.keys(),
      clock,
      random: Math.random,
      log,
      metrics,
    });
    const add = (key: string | undefined): void => void (key !== undefined && controller.queue.add(key));
    signingKeys.cache.onChange((change) => {
      for (const key of [change.key, ...signingKeyTriggers(signingKeys.cache)]) add(key);
    });
    secrets.cache.onChange((change) => add(signingKeyOfSecret(change)));
    configMaps.cache.onChange((change) => add(signingKeyOfJwks(change)));
    named.onChange((owner) => add(signingKeyOfFollower(owner)));
    const keyring = new IssuerKeyring({
      ...around,
      signingKeys: signingKeys.cache,
      namespace,
      signingKey: 'default',
      issuerUrl: ISSUER_URL,
      keyPairs,
      readSecret: (name, signal) =>
        secretClient.get({ namespace, name }, { signal }).catch((error: unknown) => {
          if (isNotFound(error)) return undefined;
          throw error;
        }),
    });
    const ending = new AbortController();
    const informers = Object.values(informersByKind);
    keyring.start();
    for (const informer of informers) informer.start(ending.signal);
    await Promise.all(informers.map((informer) => informer.whenSynced(ending.signal)));
    controller.start(ending.signal);
    this.#keyring = keyring;
    this.#controller = controller;
    this.#stop = async () => {
      ending.abort();
      keyring.stop();
      await Promise.all([named.stop(), ...informers.map((informer) => informer.stopped())]);
    };
  }

  /** Resolves when no key is due and none is worked on. */
  async idle(): Promise<void> {
    await eventually(() => {
      const { depth = 0, processing = 0 } = this.#controller?.queue ?? {};
      expect([depth, processing]).toEqual([0, 0]);
    });
  }

  /** Lets time pass: each timer runs at its time, and what it set going comes to its end before the next. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    await this.idle();
    for (let next = this.clock.untilNext; next !== undefined; next = this.clock.untilNext) {
      if (this.clock.now() + next > end) break;
      await this.clock.advance(next);
      await this.idle();
    }
    await this.clock.advance(end - this.clock.now());
    await this.idle();
  }

  /** {@link eventually}, in which a retry after a failure does not have to wait for the test’s clock. */
  until<T>(look: () => T | Promise<T>): Promise<T> {
    const { namespace } = this;
    return eventually(async () => {
      const keys = ['default', 'other'].map((name) => `${namespace}/${name}`);
      if (keys.some((key) => (this.#controller?.queue.failures(key) ?? 0) > 0))
        await this.clock.advance(1000);
      return look();
    });
  }

  async stop(): Promise<void> {
    await this.#stop?.();
    this.#stop = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.kube.close();
    await this.api.close();
  }

  ref(kind: Kind, name: string) {
    const apiVersion = kind === 'Secret' || kind === 'ConfigMap' ? 'v1' : API_VERSION;
    return { apiVersion, kind, metadata: { namespace: this.namespace, name } };
  }

  async create(spec: Record<string, unknown> = {}, name = 'default'): Promise<KubeObject> {
    return bodyOf(await this.api.create({ ...this.ref('SigningKey', name), spec }));
  }

  async get(kind: Kind = 'SigningKey', name = 'default'): Promise<KubeObject> {
    return bodyOf(await this.api.get(this.ref(kind, name)));
  }

  async patch(patch: unknown, name = 'default'): Promise<KubeObject> {
    return bodyOf(await this.api.patch(this.ref('SigningKey', name), 'merge', patch));
  }

  /** Waits until condition Ready has that reason, and the queue is empty. */
  async ready(reason: string, name = 'default'): Promise<KubeObject> {
    const found = await this.until(async () => {
      const object = await this.get('SigningKey', name);
      expect(conditionOf(object)).toMatchObject({ reason });
      return object;
    });
    await this.idle();
    return found;
  }

  async keys(name = 'default'): Promise<readonly KeyEntry[]> {
    return (await this.get('SigningKey', name)).status?.keys ?? [];
  }

  /** Waits until one key is Active, one Published and none else but `retired` Retired ones; gives their kids. */
  settled(retired = 0): Promise<{ active: string; standby: string; retired: string[] }> {
    return this.until(async () => {
      const keys = await this.keys();
      const kids = (phase: string) => keys.filter((key) => key.phase === phase).map(({ kid }) => kid);
      const [active = ''] = kids('Active');
      const [standby = ''] = kids('Published');
      expect([kids('Active').length, kids('Published').length, kids('Retired').length]).toEqual([
        1,
        1,
        retired,
      ]);
      return { active, standby, retired: kids('Retired') };
    });
  }

  async keySecrets(): Promise<readonly KubeObject[]> {
    const list = bodyOf(await this.api.list(this.ref('Secret', '')));
    return list.items.filter((secret: KubeObject) => secret.type === 'm2moauth.dev/signing-key');
  }

  async jwks(name = 'default'): Promise<{ keys: { kid: string; alg: string; kty: string; use: string }[] }> {
    return JSON.parse((await this.get('ConfigMap', `${name}-jwks`)).data['jwks.json']);
  }

  /** A Secret with a key that a user brings. */
  async provide(pem: string, name = 'provided'): Promise<void> {
    const data = { 'tls.key': Buffer.from(pem).toString('base64') };
    const found = await this.api.get(this.ref('Secret', name));
    bodyOf(
      found.status === 404
        ? await this.api.create({ ...this.ref('Secret', name), data })
        : await this.api.patch(this.ref('Secret', name), 'merge', { data }),
    );
  }
}

export const conditionOf = (object: KubeObject, type = 'Ready') =>
  object.status?.conditions?.find((condition: { type: string }) => condition.type === type);
