import { API_VERSION } from '../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import { assertionGate } from '../../../operator/compose/assertion-gate.ts';
import { buildInformers, type Informers } from '../../../operator/compose/informers.ts';
import { buildIssuer } from '../../../operator/compose/issuer.ts';
import type { TokenRequest } from '../../../operator/domain/client/token-request.ts';
import type { CachedIssuedToken } from '../../../operator/domain/record/cached-issued-token.ts';
import { Rejections } from '../../../operator/issuer/limits/rejections.ts';
import type { CreateToken, IntrospectToken, ListTokens } from '../../../operator/issuer/use-cases.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { jsonFetcher } from '../../../operator/outbound/fetch-json.ts';
import type { Informer } from '../../../operator/runtime/informer.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import { bodyOf, type KubeObject, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { openKube, type TestKube } from '../../support/kube.ts';
import { defaultConfig } from '../../support/setting-paths.ts';
import { tokenRequest } from '../../support/token-request.ts';
import { ISSUER, TestKeyring } from '../reconcilers/test-keyring.ts';

const defaults = defaultConfig();
const config = { ...defaults, issuer: { ...defaults.issuer, url: ISSUER } };

/** The part of a replica that issues tokens, with its caches and connections. */
export interface Replica {
  readonly kube: TestKube;
  readonly informers: Informers;
  readonly createToken: CreateToken;
  readonly introspectToken: IntrospectToken;
  readonly listTokens: ListTokens;
  /** The IssuedTokens in its cache, in the order in which it got to know them. */
  recorded(): readonly CachedIssuedToken[];
}

/** A namespace of a real API server, its clients, and replicas that issue tokens there. */
export class CreateTokenEnv implements AsyncDisposable {
  readonly api: TestApi = testApi();
  readonly keyring = new TestKeyring();
  readonly namespace: string;
  readonly #clients: Informer<OAuthClient>[] = [];
  readonly #stops: (() => Promise<void>)[] = [];

  private constructor(namespace: string) {
    this.namespace = namespace;
  }

  static async open(): Promise<CreateTokenEnv> {
    const api = testApi();
    const env = new CreateTokenEnv(await api.createNamespace('servers'));
    env.#stops.push(() => api.close());
    await env.keyring.rotate();
    return env;
  }

  async replica(): Promise<Replica> {
    const kube = openKube();
    const { client, log, metrics } = kube;
    const { namespace } = this;
    const { informers } = buildInformers({ namespace, watchNamespaces: [namespace] }, client, {
      clock: systemClock,
      random: Math.random,
      log,
      metrics,
      rewinds: new Rewinds(log),
    });
    const { issuer, stop } = buildIssuer(config, {
      fetchJson: jsonFetcher(config.outbound),
      client,
      informers,
      keyring: this.keyring,
      isClockUsable: () => true,
      isLeading: () => true,
      scopes: () => [{ namespace }],
      share: () => 1,
      rejections: new Rejections(systemClock),
      isMemoryExceeded: () => false,
      clock: systemClock,
      defer: setImmediate,
      log,
      metrics,
    });
    const { clients, issued } = informers;
    const ending = new AbortController();
    const started = Object.values(informers);
    for (const informer of started) informer.start(ending.signal);
    await Promise.all(started.map((informer) => informer.whenSynced(ending.signal)));
    await assertionGate(issued, systemClock)(ending.signal);
    this.#clients.push(clients);
    this.#stops.unshift(async () => {
      stop();
      ending.abort();
      await Promise.all(started.map((informer) => informer.stopped()));
      await kube.close();
    });
    const { createToken, introspectToken, listTokens } = issuer;
    const recorded = () => [...issued.cache.values()];
    return { kube, informers, createToken, introspectToken, listTokens, recorded };
  }

  /** Makes a client that holds its client ID, and waits until every replica knows it. */
  async client(name: string, authentication: object, spec: object = {}): Promise<KubeObject> {
    const metadata = { name, namespace: this.namespace };
    const base = { apiVersion: API_VERSION, kind: 'OAuthClient', metadata };
    const made = bodyOf(
      await this.api.create({ ...base, spec: { owner: 'alice', ...spec, authentication } }),
    );
    const held = bodyOf(
      await this.api.replace({ ...made, status: { clientID: name } }, { subresource: 'status' }),
    );
    await eventually(() =>
      this.#clients.every(({ cache }) => cache.get(`${this.namespace}/${name}`)?.status?.clientID === name),
    );
    return held;
  }

  /** Puts a Secret there, or its data where it is there. */
  async secret(name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
    const metadata = { name, namespace: this.namespace };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata, stringData };
    const { status } = await this.api.create(secret);
    if (status === 409) bodyOf(await this.api.patch(secret, 'merge', { data: null, stringData }));
  }

  /** The records in the namespace, as the API server has them. */
  async records(): Promise<readonly KubeObject[]> {
    const metadata = { name: '', namespace: this.namespace };
    return bodyOf(await this.api.list({ apiVersion: API_VERSION, kind: 'IssuedToken', metadata })).items;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) await stop();
    await this.api.close();
  }
}

/** The caller of these tests. */
export const call = { address: '192.0.2.1', signal: new AbortController().signal };

/** A request by client_credentials; `changes` over nothing asked for. */
export const requestOf = (clientID: string, changes: Partial<TokenRequest> = {}): TokenRequest =>
  tokenRequest({ clientID, ...changes });
