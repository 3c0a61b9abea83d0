import { expect } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import type { EventNote } from '../../../operator/ports/events.ts';
import { type KubeObject as AnyObject, bodyOf, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { openKube } from '../../support/kube.ts';
import type { Fault } from './guarded-client.ts';
import { TestKeyring } from './test-keyring.ts';
import { startTokenOperator, type TokenOperator } from './token-operator.ts';

/** Fields that have digests. */
const DIGESTS = ['kid', 'keyID', 'claimsDigest'];

/** A namespace of a real API server, the Token reconciler on real caches and a controller, and a clock that the test moves. */
export class TokenEnv implements AsyncDisposable {
  readonly api: TestApi;
  readonly clock = new FakeClock();
  readonly keyring = new TestKeyring();
  readonly events: EventNote[] = [];
  /** Every call that was made and did not fail, as `<verb> <kind> <name>`. */
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  readonly namespace: string;
  readonly kube = openKube();
  #operator: TokenOperator | undefined;

  private constructor(api: TestApi, namespace: string) {
    this.api = api;
    this.namespace = namespace;
  }

  static async open(): Promise<TokenEnv> {
    const api = testApi();
    const env = new TokenEnv(api, await api.createNamespace('tokens'));
    await env.keyring.rotate();
    await env.start();
    return env;
  }

  get writes(): string[] {
    return this.calls.filter((call) => !call.startsWith('get '));
  }

  /** Starts the operator's part; {@link TokenEnv.stop} and this again are a restart. */
  async start(): Promise<void> {
    this.#operator = await startTokenOperator(this);
  }

  async stop(): Promise<void> {
    await this.#operator?.stop();
    this.#operator = undefined;
  }

  /** Whether the watch of a Secret that is followed by name has shown it. */
  isSeen(name: string): boolean {
    return this.#operator?.isSeen(name) ?? false;
  }

  /** Resolves when no key is due and none is worked on. */
  async idle(): Promise<void> {
    await this.#operator?.idle();
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
    this.#expectNoJwtOutside();
  }

  /** Invariant 5 (spec §8), after every test: a JWT begins with `eyJ`, base64 of `{"`. */
  #expectNoJwtOutside(): void {
    const { log, metrics } = this.kube;
    // Digests are 43 random characters of base64url: one in six thousand holds `eyJ`.
    const said = JSON.stringify([log.lines, metrics.calls, this.events], (name, value: unknown) => {
      if (DIGESTS.includes(name) && /^[\w-]{43}$/u.test(String(value))) return 'digest';
      return value instanceof Error ? [value.name, value.message, value.cause] : value;
    });
    expect(said).not.toMatch(/eyJ|ZXlK/u);
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
    const client = bodyOf(await this.api.patch(object, 'merge', { status }, { subresource: 'status' }));
    const { resourceVersion } = client.metadata;
    await eventually(() => this.#operator?.isClientKnown(name, resourceVersion) ?? true);
    return client;
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
    const { payload, protectedHeader } = await this.keyring.verifySignature(text);
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
