import { expect } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import { wireClients } from '../../../operator/compose/client-reconcilers.ts';
import { jsonFetcher } from '../../../operator/outbound/fetch-json.ts';
import type { EventNote } from '../../../operator/ports/events.ts';
import type { FetchJson } from '../../../operator/ports/outbound.ts';
import { ReportedRejections } from '../../../operator/reconcilers/oauth-client/limit-reconciler.ts';
import type { Controller } from '../../../operator/runtime/controller.ts';
import { bodyOf, type KubeObject, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { issuerSettings } from '../../support/issuer-settings.ts';
import { openKube } from '../../support/kube.ts';
import { recordedLog } from '../../support/quiet.ts';
import type { Fault } from './guarded-client.ts';
import { buildParts, startWired } from './wiring.ts';

/** `issuer.url` of these tests. */
export const ISSUER = 'https://issuer.example.com/m2m';

const settings = issuerSettings({
  url: ISSUER,
  ownerClaim: 'https://example.com/owner',
});

type Kind = 'OAuthClient' | 'Secret';
type ClientCondition = 'Ready' | 'CredentialsReady' | 'CredentialsWeak' | 'LimitReached';

/** Two namespaces of a real API server, the reconcilers of OAuthClients on real caches, and a clock that the test moves. */
export class ClientEnv implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly events: EventNote[] = [];
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  /** What the replicas report. */
  readonly rejected = new ReportedRejections(recordedLog());
  readonly kube = openKube();
  readonly api: TestApi;
  readonly namespace: string;
  readonly otherNamespace: string;
  /** What outbound fetches go through. */
  fetchJson: FetchJson = jsonFetcher({ caFile: '', allowedCIDRs: [] });
  /** Whose bearers the configuration trusts, from the next start on. */
  endpoints: NonNullable<Parameters<typeof wireClients>[0]['endpoints']> = [];
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

  /** Starts the operator's part as compose wires it; {@link ClientEnv.stop} and this again are a restart. */
  async start(): Promise<void> {
    const parts = buildParts(this, [this.namespace, this.otherNamespace]);
    const fetchJson: FetchJson = (...asked) => this.fetchJson(...asked);
    const wired = wireClients(
      { settings, fetchJson, endpoints: this.endpoints },
      { ...parts, rejected: this.rejected },
    );
    this.#stop = await startWired(wired, parts, ['clients', 'secrets', 'earlierSecrets', 'signingKeys']);
    this.#controllers = wired.controllers;
  }

  /** Resolves when no key is due and none is worked on. */
  async idle(): Promise<void> {
    await eventually(() => {
      expect(this.#controllers.map(({ queue }) => [queue.depth, queue.processing].join())).toEqual(
        this.#controllers.map(() => '0,0'),
      );
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
    type: ClientCondition,
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

export const conditionOf = (object: KubeObject, type: ClientCondition) =>
  object.status?.conditions?.find((condition: { type: string }) => condition.type === type);
