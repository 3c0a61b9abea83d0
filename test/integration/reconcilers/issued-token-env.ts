import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import { floorSeconds, formatTime } from '../../../operator/api/time.ts';
import { wireIssuedTokens } from '../../../operator/compose/record-reconcilers.ts';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../operator/domain/record/cached-issued-token.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { listWatchIssuedTokens, listWatchObjects } from '../../../operator/kube/list-watch.ts';
import { OAUTH_CLIENTS } from '../../../operator/kube/resource-client.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import type { Controller } from '../../../operator/runtime/controller.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import { bodyOf, type KubeObject, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { openKube } from '../../support/kube.ts';
import { TestKeyring } from './test-keyring.ts';

/** A fault of one call: `happen` comes before it, the error in its place or after the API server has done it. */
export interface CallFault {
  /** `<verb> <plural>`, or `<verb> <plural>/status` */
  readonly call: string;
  readonly when: 'before' | 'after';
  readonly error?: Error;
  readonly happen?: () => Promise<unknown>;
}

export const TTL = { afterExpiry: 3_600_000, afterBlacklisted: 30 * 24 * 3_600_000 };

/** A namespace of a real API server, the leader's part of IssuedTokens as compose wires it, and a clock that the test moves. */
export class IssuedTokenEnv implements AsyncDisposable {
  readonly api: TestApi;
  /** Begins now: the API server's own times count too. */
  readonly clock = new FakeClock(Date.now());
  readonly keyring = new TestKeyring();
  readonly kube = openKube();
  /** Every call, as `<verb> <plural> <name>`. */
  readonly sent: string[] = [];
  /** Those that the API server has done. */
  readonly calls: string[] = [];
  readonly faults: CallFault[] = [];
  readonly namespace: string;
  /** False as after a lost lease: writes are rejected on this side of the wire. */
  isLeader = true;
  /** Clients that the cache does not know yet. */
  readonly unseen = new Set<string>();
  #controller: Controller | undefined;
  #records: Informer<CachedIssuedToken> | undefined;
  #clients: Informer<OAuthClient> | undefined;
  #stop: (() => Promise<void>) | undefined;

  private constructor(api: TestApi, namespace: string) {
    this.api = api;
    this.namespace = namespace;
  }

  static async open({ started = true } = {}): Promise<IssuedTokenEnv> {
    const api = testApi();
    const env = new IssuedTokenEnv(api, await api.createNamespace('issued'));
    await env.keyring.rotate();
    if (started) await env.start();
    return env;
  }

  get kid(): string {
    return this.keyring.active()?.kid ?? '';
  }

  /** What was counted: `[why]` of each collection, or `[]` of each blacklisting. */
  counted(metric: 'recordsCollected'): unknown[][] {
    return this.kube.metrics.calls.filter(([name]) => name === metric).map(([, ...rest]) => rest);
  }

  #guarded(client: KubeClient): KubeClient {
    return {
      ...client,
      request: async (request) => {
        const [plural = '', name = '', sub] = request.path.split('/').slice(6);
        const call = `${request.verb} ${plural}${sub ? `/${sub}` : ''}`;
        const at = this.faults.findIndex((fault) => fault.call === call);
        const [fault] = at >= 0 ? this.faults.splice(at, 1) : [];
        this.sent.push(`${call} ${name}`);
        await fault?.happen?.();
        if (fault?.error && fault.when === 'before') throw fault.error;
        const answer = await client.request<never>(request);
        this.calls.push(`${call} ${name}`);
        if (fault?.error) throw fault.error;
        return answer;
      },
    };
  }

  #informers() {
    const { client, log, metrics } = this.kube;
    const { namespace } = this;
    const around = { clock: systemClock, random: Math.random, log, metrics, rewinds: new Rewinds(log) };
    const issued = new Informer<CachedIssuedToken>({
      ...around,
      name: 'issuedtokens',
      sources: [{ namespace, listWatch: listWatchIssuedTokens(client, { namespace }) }],
      indexers: ISSUED_INDEXERS,
    });
    const clients = new Informer<OAuthClient>({
      ...around,
      name: 'oauthclients',
      sources: [
        { namespace, listWatch: listWatchObjects<OAuthClient>(client, OAUTH_CLIENTS, { namespace }) },
      ],
    });
    return { issued, clients };
  }

  /** The cache of clients, behind in what {@link IssuedTokenEnv.unseen} says. */
  #behind(clients: Informer<OAuthClient>): Informer<OAuthClient> {
    const { cache } = clients;
    const get = (key: string) => (this.unseen.has(key) ? undefined : cache.get(key));
    const behind = { get, onChange: cache.onChange.bind(cache) };
    return Object.create(clients, { cache: { value: behind } });
  }

  /** Starts the operator's part as a new leader; {@link IssuedTokenEnv.stop} and this again are a restart. */
  async start(): Promise<void> {
    const { log, metrics, client } = this.kube;
    const { issued, clients } = this.#informers();
    const { controllers, connect } = wireIssuedTokens(
      { garbageCollection: { ttlAfterExpiry: TTL.afterExpiry, ttlAfterBlacklisted: TTL.afterBlacklisted } },
      {
        clock: this.clock,
        defer: setImmediate,
        random: Math.random,
        log,
        metrics,
        keyring: this.keyring,
        informers: { issued, clients: this.#behind(clients) },
        writer: this.#guarded(client.gated(() => this.isLeader)),
        isClockUsable: () => true,
      },
    );
    const disconnect = connect();
    const ending = new AbortController();
    for (const informer of [issued, clients]) informer.start(ending.signal);
    await Promise.all([issued, clients].map((informer) => informer.whenSynced(ending.signal)));
    for (const controller of controllers) controller.start(ending.signal);
    [this.#controller] = controllers;
    this.#records = issued;
    this.#clients = clients;
    this.#stop = async () => {
      disconnect();
      ending.abort();
      await Promise.all([issued.stopped(), clients.stopped()]);
    };
  }

  async stop(): Promise<void> {
    await this.#stop?.();
    this.#stop = undefined;
    this.#controller = undefined;
  }

  /** Resolves when no key is due and none is worked on. */
  async idle(): Promise<void> {
    await eventually(() => {
      const { depth = 0, processing = 0 } = this.#controller?.queue ?? {};
      expect([depth, processing]).toEqual([0, 0]);
    });
  }

  /** Lets time pass, with what is due at its end done. */
  async pass(ms: number): Promise<void> {
    await this.idle();
    await this.clock.advance(ms);
    await this.idle();
  }

  /** {@link eventually}, in which a retry after a failure does not have to wait for the test's clock. */
  until<T>(look: () => T | Promise<T>): Promise<T> {
    return eventually(async () => {
      if ((this.#controller?.queue.delayed ?? 0) > 0) await this.clock.advance(1000);
      return look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.kube.close();
    await this.api.close();
  }

  ref(kind: 'IssuedToken' | 'OAuthClient', name: string) {
    return { apiVersion: API_VERSION, kind, metadata: { namespace: this.namespace, name } };
  }

  /** Makes a client; its UID. Resolves when the cache has it. */
  async client(name = 'app'): Promise<string> {
    const made = bodyOf(
      await this.api.create({ ...this.ref('OAuthClient', name), spec: { owner: 'alice' } }),
    );
    const { uid } = made.metadata;
    const clients = this.#controller && this.#clients;
    if (clients) await eventually(() => clients.cache.get(`${this.namespace}/${name}`)?.metadata.uid === uid);
    return uid;
  }

  /** Makes a record as the operator would; `lifetime` in milliseconds, absent = it never expires. Its name. */
  async record(
    clientUID: string,
    { lifetime, ...more }: { lifetime?: number; client?: string; kid?: string; id?: string } = {},
  ): Promise<string> {
    const { client = 'app', kid = this.kid, id = randomUUID() } = more;
    const seconds = floorSeconds(this.clock.now());
    const expiration = lifetime === undefined ? {} : { expiration: formatTime(seconds + lifetime / 1000) };
    const spec = {
      clientRef: { name: client },
      clientID: client,
      clientUID,
      owner: 'alice',
      subject: 'alice',
      issuedAt: formatTime(seconds),
      keyID: kid,
      ...expiration,
    };
    const { metadata } = bodyOf(await this.api.create({ ...this.ref('IssuedToken', id), spec }));
    await this.known(id, metadata.resourceVersion);
    return id;
  }

  /** Resolves when the cache has the record at that resourceVersion, or a later one. */
  async known(name: string, resourceVersion: string): Promise<void> {
    if (this.#controller === undefined) return;
    const key = `${this.namespace}/${name}`;
    await eventually(
      () => Number(this.#records?.cache.get(key)?.metadata.resourceVersion ?? 0) >= Number(resourceVersion),
    );
  }

  async get(name: string): Promise<KubeObject | undefined> {
    const { status, body } = await this.api.get(this.ref('IssuedToken', name));
    return status === 404 ? undefined : body;
  }

  async patch(name: string, patch: unknown, subresource?: 'status'): Promise<KubeObject> {
    const options = subresource ? { subresource } : {};
    return bodyOf(await this.api.patch(this.ref('IssuedToken', name), 'merge', patch, options));
  }

  revoke(name: string): Promise<KubeObject> {
    return this.patch(name, { spec: { revoked: true } });
  }

  async deleteClient(name = 'app'): Promise<void> {
    bodyOf(await this.api.delete(this.ref('OAuthClient', name)));
  }

  /** Waits until the record is blacklisted by its status. */
  blacklisted(name: string): Promise<KubeObject> {
    return this.until(async () => {
      const record = await this.get(name);
      expect(record?.status?.blacklisted?.flag).toBe(true);
      return record as KubeObject;
    });
  }

  /** Waits until there are just these records, and the queue is empty: a record is gone before its reconciler has the answer. */
  async left(...names: string[]): Promise<void> {
    await this.until(async () => {
      const { items } = bodyOf(await this.api.list(this.ref('IssuedToken', '')));
      expect(items.map(({ metadata }) => metadata.name).sort()).toEqual([...names].sort());
    });
    await this.idle();
  }
}
