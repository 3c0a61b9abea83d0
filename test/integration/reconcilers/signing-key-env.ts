import { expect } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import type { KeyEntry } from '../../../operator/api/signing-key.ts';
import { wireSigningKeys } from '../../../operator/compose/signing-key-reconcilers.ts';
import { joseKeyPairs } from '../../../operator/crypto/key-pairs.ts';
import type { JwksMembers } from '../../../operator/domain/key/jwks.ts';
import { IssuerKeyring } from '../../../operator/issuer/keys/keyring.ts';
import { createResourceClient, SECRETS } from '../../../operator/kube/resource-client.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import type { EventNote } from '../../../operator/ports/events.ts';
import { getIfThere } from '../../../operator/ports/kube.ts';
import type { Secret } from '../../../operator/ports/secrets.ts';
import type { Controller } from '../../../operator/runtime/controller.ts';
import { bodyOf, type KubeObject, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { openKube } from '../../support/kube.ts';
import type { Fault } from './guarded-client.ts';
import { buildParts, startWired } from './wiring.ts';

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

  readonly #jwks: JwksMembers['jwks'];

  private constructor(api: TestApi, { namespace, jwks }: { namespace: string; jwks: JwksMembers['jwks'] }) {
    this.api = api;
    this.namespace = namespace;
    this.#jwks = jwks;
  }

  /** `jwks` says whose keys are published (spec §6, `issuer.jwks`). */
  static async open(jwks: JwksMembers['jwks'] = 'All'): Promise<SigningKeyEnv> {
    const api = testApi();
    const env = new SigningKeyEnv(api, { namespace: await api.createNamespace('keys'), jwks });
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

  /** Starts the operator's part as compose wires it; {@link SigningKeyEnv.stop} and this again are a restart. */
  async start(): Promise<void> {
    const { namespace } = this;
    const { client, log } = this.kube;
    const parts = buildParts(this, [namespace]);
    const secrets = createResourceClient<Secret>(client, SECRETS);
    const keyring = new IssuerKeyring({
      clock: systemClock,
      random: Math.random,
      log,
      signingKeys: parts.informers.signingKeys.cache,
      namespace,
      signingKey: 'default',
      jwks: this.#jwks,
      issuerUrl: ISSUER_URL,
      keyPairs: joseKeyPairs(),
      readSecret: (name, signal) => getIfThere(secrets, { namespace, name }, signal),
    });
    keyring.start();
    const wired = wireSigningKeys(
      { namespace, jwksMembers: { jwks: this.#jwks, signingKey: 'default' } },
      { ...parts, holdsKey: (kid) => keyring.holds(kid) },
    );
    const watched = [
      ...(['signingKeys', 'tokens', 'issued', 'batches'] as const),
      ...(['secrets', 'earlierSecrets', 'configMaps', 'earlierConfigMaps', 'compromisedKeys'] as const),
    ];
    const stop = await startWired(wired, parts, watched);
    this.#keyring = keyring;
    [this.#controller] = wired.controllers;
    this.#stop = async () => {
      keyring.stop();
      await stop();
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
