import { randomUUID } from 'node:crypto';
import type { IssuedToken } from '../../../operator/api/issued-token.ts';
import { API_VERSION } from '../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import type { TokenBatch } from '../../../operator/api/token-batch.ts';
import { findJwkProblem } from '../../../operator/crypto/public-jwk.ts';
import type { TokenRequest } from '../../../operator/domain/client/token-request.ts';
import { createClientAuthentication } from '../../../operator/issuer/authentication/client-authentication.ts';
import { buildCreateToken } from '../../../operator/issuer/create-token.ts';
import { createGroupCommit, createWriteBatch } from '../../../operator/issuer/recording/group-commit.ts';
import { createRecordToken } from '../../../operator/issuer/recording/record-token.ts';
import type { CreateToken } from '../../../operator/issuer/use-cases.ts';
import { listWatchObjects } from '../../../operator/kube/list-watch.ts';
import { createResourceClient } from '../../../operator/kube/resource-client.ts';
import {
  ISSUED_TOKENS,
  OAUTH_CLIENTS,
  SECRETS,
  TOKEN_BATCHES,
} from '../../../operator/kube/resource-types.ts';
import { createReviewToken } from '../../../operator/kube/token-reviews.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { getIfThere } from '../../../operator/ports/kube.ts';
import type { Secret } from '../../../operator/ports/secrets.ts';
import { CLIENT_INDEXERS } from '../../../operator/reconcilers/oauth-client/client-indexes.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { bodyOf, type KubeObject, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { issuerSettings } from '../../support/issuer-settings.ts';
import { openKube, type TestKube } from '../../support/kube.ts';
import { tokenRequest } from '../../support/token-request.ts';
import { ISSUER, TestKeyring } from '../reconcilers/test-keyring.ts';

const settings = issuerSettings({ url: ISSUER });

/** The part of a replica that issues tokens, with its caches and connections. */
export interface Replica {
  readonly kube: TestKube;
  readonly createToken: CreateToken;
  readonly recorded: IssuedToken[];
  readonly batches: TokenBatch[];
}

/** A namespace of a real API server, its clients, and replicas that issue tokens there. */
export class CreateTokenEnv implements AsyncDisposable {
  readonly api: TestApi = testApi();
  readonly keyring = new TestKeyring();
  readonly namespace: string;
  readonly #informers: Informer<OAuthClient>[] = [];
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
    const around = { clock: systemClock, random: Math.random, log, metrics };
    const informer = new Informer<OAuthClient>({
      ...around,
      name: 'oauthclients',
      sources: [
        { namespace, listWatch: listWatchObjects<OAuthClient>(client, OAUTH_CLIENTS, { namespace }) },
      ],
      indexers: CLIENT_INDEXERS,
    });
    const secrets = createResourceClient<Secret>(client, SECRETS);
    const clients = createResourceClient<OAuthClient>(client, OAUTH_CLIENTS);
    const recorded: IssuedToken[] = [];
    const batches: TokenBatch[] = [];
    const authentication = createClientAuthentication({
      ...around,
      settings,
      clients: informer.cache,
      freshness: { clients: () => true },
      readClient: (ref, signal) => getIfThere(clients, ref, signal),
      readSecret: (ref, signal) => getIfThere(secrets, ref, signal),
      reviewToken: createReviewToken(client),
      fetchJson: () => Promise.reject(new Error('nothing is to be fetched')),
      findJwkProblem,
    });
    const createToken = buildCreateToken({
      ...around,
      ...authentication,
      settings,
      keyring: this.keyring,
      recordToken: createRecordToken({
        records: createResourceClient<IssuedToken>(client, ISSUED_TOKENS),
        onRecorded: (record) => void recorded.push(record),
        addToBatch: createGroupCommit({
          writeBatch: createWriteBatch({
            batches: createResourceClient<TokenBatch>(client, TOKEN_BATCHES),
            onRecorded: (batch) => void batches.push(batch),
            clock: systemClock,
          }),
          newID: randomUUID,
          defer: setImmediate,
        }),
        newID: randomUUID,
        defer: setImmediate,
      }),
      isClockUsable: () => true,
    });
    const ending = new AbortController();
    informer.start(ending.signal);
    await informer.whenSynced(ending.signal);
    this.#informers.push(informer);
    this.#stops.unshift(async () => {
      authentication.stop();
      ending.abort();
      await informer.stopped();
      await kube.close();
    });
    return { kube, createToken, recorded, batches };
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
      this.#informers.every(({ cache }) => cache.get(`${this.namespace}/${name}`)?.status?.clientID === name),
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
