import { expect } from '@jest/globals';
import { API_VERSION, type KubeObject, MANAGED_BY_LABEL, MANAGER } from '../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import type { Token } from '../../../operator/api/token.ts';
import type { IssuerSettings } from '../../../operator/domain/claims.ts';
import {
  listWatchMetadata,
  listWatchObjects,
  listWatchSecretMeta,
} from '../../../operator/kube/list-watch.ts';
import { createResourceClient } from '../../../operator/kube/resource-client.ts';
import { NAMESPACES, OAUTH_CLIENTS, SECRETS, TOKENS } from '../../../operator/kube/resource-types.ts';
import { buildSecretMeta } from '../../../operator/kube/secret-meta.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import type { EventNote } from '../../../operator/ports/events.ts';
import type { ResourceClient } from '../../../operator/ports/kube.ts';
import type { Secret, SecretMeta } from '../../../operator/ports/secrets.ts';
import { SECRET_INDEXERS, TOKEN_INDEXERS } from '../../../operator/reconcilers/token-indexes.ts';
import { tokenTriggers } from '../../../operator/reconcilers/token-triggers.ts';
import { TokenReconciler } from '../../../operator/reconcilers/tokens.ts';
import { Controller } from '../../../operator/runtime/controller.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { NamedSecretWatches } from '../../../operator/runtime/named-secrets.ts';
import { type KubeObject as AnyObject, bodyOf, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { openKube } from '../../support/kube.ts';
import { ISSUER, TestKeyring } from './test-keyring.ts';

export const settings: IssuerSettings = {
  url: ISSUER,
  ownerClaim: 'sub',
  deviceIDClaim: '',
  tokenType: 'at+jwt',
  backdateMs: 0,
};

type Verb = 'create' | 'update' | 'updateStatus' | 'delete' | 'get';
/** A fault of one call: thrown in its place, or after the API server has done it. */
export interface Fault {
  readonly call: `${Verb} ${'Token' | 'Secret'}`;
  readonly when: 'before' | 'after';
  readonly error: Error;
}

/** A namespace of a real API server, the Token reconciler on real caches and a controller, and a clock that the test moves. */
export class TokenStage implements AsyncDisposable {
  readonly api: TestApi;
  readonly clock = new FakeClock();
  readonly keyring = new TestKeyring();
  readonly events: EventNote[] = [];
  /** Every call that was made and did not fail, as `<verb> <kind> <name>`. */
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  readonly namespace: string;
  readonly kube = openKube();
  #stop: (() => Promise<void>) | undefined;

  private constructor(api: TestApi, namespace: string) {
    this.api = api;
    this.namespace = namespace;
  }

  static async open(): Promise<TokenStage> {
    const api = testApi();
    const stage = new TokenStage(api, await api.createNamespace('tokens'));
    await stage.keyring.rotate();
    await stage.start();
    return stage;
  }

  get writes(): string[] {
    return this.calls.filter((call) => !call.startsWith('get '));
  }

  #guard<T extends KubeObject>(client: ResourceClient<T>): ResourceClient<T> {
    const kind = client.type.kind;
    const run = async <R>(verb: Verb, name: string, call: () => Promise<R>): Promise<R> => {
      const at = this.faults.findIndex((fault) => fault.call === `${verb} ${kind}`);
      const [fault] = at >= 0 ? this.faults.splice(at, 1) : [];
      if (fault?.when === 'before') throw fault.error;
      const answer = await call();
      this.calls.push(`${verb} ${kind} ${name}`);
      if (fault) throw fault.error;
      return answer;
    };
    return {
      type: client.type,
      get: (ref, options) => run('get', ref.name, () => client.get(ref, options)),
      create: (object, options) => run('create', object.metadata.name, () => client.create(object, options)),
      update: (object, options) => run('update', object.metadata.name, () => client.update(object, options)),
      updateStatus: (object, options) =>
        run('updateStatus', object.metadata.name, () => client.updateStatus(object, options)),
      delete: (ref, conditions, options) =>
        run('delete', ref.name, () => client.delete(ref, conditions, options)),
    };
  }

  /** Starts the operator's part; {@link TokenStage.stop} and this again are a restart. */
  async start(): Promise<void> {
    const { client, log, metrics } = this.kube;
    const { namespace, keyring } = this;
    const around = { clock: systemClock, random: Math.random, log, metrics };
    const tokens = new Informer<Token>({
      ...around,
      name: 'tokens',
      sources: [{ namespace, listWatch: listWatchObjects<Token>(client, TOKENS, { namespace }) }],
      indexers: TOKEN_INDEXERS,
    });
    const clients = new Informer<OAuthClient>({
      ...around,
      name: 'clients',
      sources: [
        { namespace, listWatch: listWatchObjects<OAuthClient>(client, OAUTH_CLIENTS, { namespace }) },
      ],
    });
    const secrets = new Informer<SecretMeta>({
      ...around,
      name: 'secrets',
      sources: [
        {
          namespace,
          listWatch: listWatchSecretMeta(client, {
            namespace,
            labelSelector: `${MANAGED_BY_LABEL}=${MANAGER}`,
          }),
        },
      ],
      indexers: SECRET_INDEXERS,
    });
    const namespaces = new Informer<KubeObject>({
      ...around,
      name: 'namespaces',
      sources: [
        { listWatch: listWatchMetadata(client, NAMESPACES, { fieldSelector: `metadata.name=${namespace}` }) },
      ],
    });
    const named = new NamedSecretWatches({
      ...around,
      sourceOf: (ref) =>
        listWatchSecretMeta(client, { namespace: ref.namespace, fieldSelector: `metadata.name=${ref.name}` }),
    });
    this.isSeen = (name) => named.get(`${namespace}/${name}`) !== undefined;
    const caches = {
      tokens: tokens.cache,
      clients: clients.cache,
      secrets: secrets.cache,
      namespaces: namespaces.cache,
      named,
      keyring,
      clock: this.clock,
    };
    const reconciler = new TokenReconciler({
      ...caches,
      settings,
      tokenClient: this.#guard(createResourceClient<Token>(client, TOKENS)),
      secretClient: this.#guard(createResourceClient<Secret>(client, SECRETS, { keepManagedFields: true })),
      secretMetaOf: buildSecretMeta,
      events: { record: (note) => this.events.push(note) },
      metrics,
      log,
    });
    const controller = new Controller({
      name: 'token',
      concurrency: 4,
      reconcile: (key, signal) => reconciler.reconcile(key, signal),
      clock: this.clock,
      random: Math.random,
      log,
      metrics,
    });
    const untrigger = tokenTriggers({ ...caches, queue: controller.queue });
    const ending = new AbortController();
    const informers = [tokens, clients, secrets, namespaces];
    for (const informer of informers) informer.start(ending.signal);
    await Promise.all(informers.map((informer) => informer.whenSynced(ending.signal)));
    controller.start(ending.signal);
    this.#stop = async () => {
      untrigger();
      ending.abort();
      await Promise.all([named.stop(), ...informers.map((informer) => informer.stopped())]);
    };
    this.idle = async () => {
      await eventually(() => expect([controller.queue.depth, controller.queue.processing]).toEqual([0, 0]));
    };
  }

  /** Whether the watch of a Secret that is followed by name has shown it. */
  isSeen: (name: string) => boolean = () => false;

  /** Resolves when no key is due and none is worked on. */
  idle: () => Promise<void> = async () => {};

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
    await this.api.delete({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace } });
    await this.kube.close();
    await this.api.close();
  }

  ref(kind: 'Token' | 'OAuthClient' | 'Secret', name: string) {
    const apiVersion = kind === 'Secret' ? 'v1' : API_VERSION;
    return { apiVersion, kind, metadata: { namespace: this.namespace, name } };
  }

  /** An OAuthClient that holds its client ID, as its own reconciler would leave it. */
  async client(spec: Record<string, unknown> = {}, name = 'app'): Promise<AnyObject> {
    const object = bodyOf(
      await this.api.create({ ...this.ref('OAuthClient', name), spec: { owner: 'alice', ...spec } }),
    );
    const status = { clientID: name };
    return bodyOf(await this.api.patch(object, 'merge', { status }, { subresource: 'status' }));
  }

  async create(spec: Record<string, unknown> = {}, name = 'reports'): Promise<AnyObject> {
    const object = { ...this.ref('Token', name), spec: { clientRef: { name: 'app' }, ...spec } };
    return bodyOf(await this.api.create(object));
  }

  async patch(kind: 'Token' | 'OAuthClient' | 'Secret', name: string, patch: unknown): Promise<AnyObject> {
    return bodyOf(await this.api.patch(this.ref(kind, name), 'merge', patch));
  }

  async delete(kind: 'Token' | 'OAuthClient' | 'Secret', name: string): Promise<void> {
    bodyOf(await this.api.delete(this.ref(kind, name)));
  }

  async get(kind: 'Token' | 'OAuthClient' | 'Secret', name: string): Promise<AnyObject | undefined> {
    const { status, body } = await this.api.get(this.ref(kind, name));
    return status === 404 ? undefined : body;
  }

  /** Waits until the Token's `Ready` has that reason, and whatever else the look asks for; and the queue is empty. */
  async token(reason: string, look: (status: AnyObject['status']) => void = () => {}, name = 'reports') {
    const token = await eventually(async () => {
      const found = await this.get('Token', name);
      expect(conditionOf(found, 'Ready')?.reason).toBe(reason);
      look(found?.status);
      return found;
    });
    await this.idle();
    return token as AnyObject;
  }

  /** The claims of the JWT in a Secret, verified by jose. */
  async jwt(name = 'reports', key = 'token') {
    const secret = await this.get('Secret', name);
    const text = Buffer.from(secret?.data?.[key] ?? '', 'base64').toString();
    const { payload, protectedHeader } = await this.keyring.judge(text);
    return { text, payload, header: protectedHeader, secret: secret as AnyObject };
  }

  /** Moves the clock to just past a time of a status. */
  async advanceTo(time: string): Promise<void> {
    await this.clock.advance(Math.max(0, Date.parse(time) - this.clock.now()));
  }
}

export const conditionOf = (object: AnyObject | undefined, type: string) =>
  (
    object?.status?.conditions as
      | { type: string; status: string; reason: string; message: string }[]
      | undefined
  )?.find((condition) => condition.type === type);
