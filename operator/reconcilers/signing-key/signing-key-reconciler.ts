import { keyOf } from '../../api/meta.ts';
import type { KeyEntry, SigningKey } from '../../api/signing-key.ts';
import { buildJwks, compromisedKids, isInJwks, type JwksMembers } from '../../domain/key/jwks.ts';
import { planSigningKey, type SigningKeyPlan } from '../../domain/key/rotation-plan.ts';
import type { Clock } from '../../ports/clock.ts';
import { ApiError, answerOf, getIfThere, isConflict, isRejected, secretRejection } from '../../ports/kube.ts';
import type { Log } from '../../ports/log.ts';
import type { NamedSecrets, Secret } from '../../ports/secrets.ts';
import { DONE, type ReconcileResult } from '../../runtime/controller.ts';
import { lastExpirations, type TokenExpirations } from '../token/token-expirations.ts';
import { CompromisedKeysMemory } from './compromised-keys-config-map.ts';
import { createDefaultSigningKey, type DefaultSigningKey } from './default-signing-key.ts';
import { applyJwks, configMapNameOf, holdsKid, type JwksSinks } from './jwks-config-map.ts';
import {
  describeKeySecret,
  listKeySecrets,
  type ObservedSigningKey,
  observeSigningKey,
  type SigningKeySources,
} from './signing-key-observer.ts';
import { signingKeyFollowerOf } from './signing-key-triggers.ts';
import {
  changeKeySecret,
  createKeySecret,
  removeKeySecret,
  type SigningKeySinks,
  writeSigningKeyStatus,
} from './signing-key-writes.ts';

/** All that the reconciler of SigningKeys works with. */
export type SigningKeyReconcilerOptions = SigningKeySources &
  SigningKeySinks &
  JwksSinks &
  /** Of caches that are synced before the first pass. */
  TokenExpirations & {
    /** The operator's own: a SigningKey elsewhere is none. */
    readonly namespace: string;
    /** Created if it does not exist; undefined: none is. */
    readonly defaultKey?: DefaultSigningKey | undefined;
    /** Whose keys the ConfigMaps have. */
    readonly jwksMembers: JwksMembers;
    readonly named: NamedSecrets;
    readonly clock: Clock;
    readonly log: Log;
  };

/** The most rounds of one reconcile: generate, write the status, annotate, remove, drop what was removed. */
const MAX_ROUNDS = 8;
/** For a Secret that could not be followed, and a ConfigMap that is not the operator's, in milliseconds. */
const LOOK_AGAIN_MS = 300_000;

/** Failed writes of the JWKS ConfigMap in a row after which a key signs although the ConfigMap lacks it: a quota must not stop the issuer. */
const MAX_UNPUBLISHED = 5;

/** A plan, what it is made from, and why keys that it asked for are not there, or compromised ones are not remembered. */
interface Planned {
  readonly plan: SigningKeyPlan;
  readonly observed: ObservedSigningKey;
  readonly error?: unknown;
}

/**
 * Keeps the keys of SigningKeys (spec §2.5) and the ConfigMaps with the key set, and creates the default one. Needs get, list, watch,
 * create of signingkeys; update of signingkeys/status; get, list, watch, create, update, delete of secrets and configmaps, all in
 * the operator's namespace.
 */
export class SigningKeyReconciler {
  readonly #options: SigningKeyReconcilerOptions;
  readonly #log: Log;
  /** By key, how often in a row the key set could not be written. */
  readonly #unpublished = new Map<string, number>();
  readonly #memory: CompromisedKeysMemory;

  constructor(options: SigningKeyReconcilerOptions) {
    this.#options = options;
    this.#log = options.log.child({ kind: 'SigningKey' });
    this.#memory = new CompromisedKeysMemory(options, options.namespace);
  }

  /**
   * Reconciles the SigningKey with that key; not to be called for one key twice at a time.
   * @throws ApiError on a conflict (reconcile again) and if the API server fails; Error if something undoes what is written
   */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const signingKey = await this.#read(key, signal);
      if (!signingKey) return this.#reconcileMissing(key, signal);
      const isFollowed = this.#follow(signingKey);
      const { plan, observed, error } = await this.#plan(signingKey, signal);
      // Before the status says that a key signs.
      const published = await this.#publish(signingKey, plan, signal).catch((failure: unknown) => ({
        failure,
      }));
      if ('failure' in published) this.#goOnUnpublished(signingKey, plan, published.failure);
      else this.#unpublished.delete(key);
      const isDone = await this.#apply(plan, observed, signal);
      if (error !== undefined) throw error;
      if ('failure' in published) throw published.failure;
      if (isDone) return this.#result(plan, isFollowed && published.isKept);
    }
    throw new Error(
      `SigningKey ${key} is not as planned after ${MAX_ROUNDS} rounds: something changes its status or Secrets back, such as a mutating webhook`,
    );
  }

  async #reconcileMissing(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    this.#options.named.follow(signingKeyFollowerOf(key), []);
    this.#unpublished.delete(key);
    const { defaultKey, namespace } = this.#options;
    if (!defaultKey || key !== `${namespace}/${defaultKey.name}`) return DONE;
    const keySecrets = (await listKeySecrets(this.#options, defaultKey.name, signal)).size;
    const request = { defaultKey, keySecrets, signal };
    const isCreated = await createDefaultSigningKey({ ...this.#options, log: this.#log }, request);
    return isCreated ? DONE : { kind: 'requeue', afterMs: LOOK_AGAIN_MS };
  }

  /** As it is now: next to Secrets that are read live, a status of yesterday would make them look spent. */
  async #read(key: string, signal: AbortSignal): Promise<SigningKey | undefined> {
    const { signingKeys, signingKeyClient, namespace } = this.#options;
    const known = signingKeys.get(key);
    if (known?.metadata.namespace !== namespace) return undefined;
    const live = await getIfThere(signingKeyClient, known.metadata, signal);
    if (live) signingKeys.putIfNewer(live);
    return live;
  }

  /** Plans, makes the keys that the plan asks for, and plans again with them. */
  async #plan(signingKey: SigningKey, signal: AbortSignal): Promise<Planned> {
    const { clock } = this.#options;
    const observed = await observeSigningKey(this.#options, signingKey, signal);
    const now = clock.now();
    const compromised = compromisedKids([signingKey, ...this.#others(signingKey)]);
    const stored = observed.observation.secrets.flatMap((secret) => secret.compromised);
    // Before anything else is written: what names a kid may be deleted next.
    const { keys: remembered, failure: notRemembered } = await this.#memory.remember(
      [...compromised, ...stored],
      signal,
    );
    const rest = { compromised, remembered, lastExpirationOf: lastExpirations(this.#options, now), now };
    const plan = planSigningKey({ ...observed.observation, ...rest });
    if (plan.generate.length === 0) return { plan, observed, ...notRemembered };
    const secrets = new Map(observed.secrets);
    const described = [...observed.observation.secrets];
    let failure: { text: string; error: unknown } | undefined;
    try {
      for (const algorithm of plan.generate) {
        const secret = await createKeySecret(this.#options, { signingKey, algorithm, signal });
        secrets.set(secret.metadata.name, secret);
        described.push(await describeKeySecret(this.#options, secret, signingKey));
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failure = { text: describeFailure(error), error };
    }
    const observation = { ...observed.observation, secrets: described, failure: failure?.text };
    return {
      plan: planSigningKey({ ...observation, ...rest }),
      observed: { observation, secrets },
      ...notRemembered,
      ...(failure && { error: failure.error }),
    };
  }

  /** True where there was nothing to do. */
  async #apply(
    plan: SigningKeyPlan,
    { observation, secrets }: ObservedSigningKey,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { signingKey } = observation;
    const { namespace } = signingKey.metadata;
    const { status } = plan;
    if (status) {
      await writeSigningKeyStatus(this.#options, signingKey, { status, signal });
      this.#log.info('status written', { name: signingKey.metadata.name, keys: summary(status.keys) });
    }
    for (const change of plan.change) {
      const live: Secret | undefined = secrets.get(change.secret.name);
      await changeKeySecret(this.#options, { change, live, signal });
    }
    for (const secret of plan.remove) await removeKeySecret(this.#options, secret, { namespace, signal });
    return !status && plan.change.length === 0 && plan.remove.length === 0;
  }

  /** Writes the planned key set to the ConfigMap; `isKept` is false if the operator does not own the ConfigMap. */
  async #publish(
    signingKey: SigningKey,
    { status = signingKey.status }: SigningKeyPlan,
    signal: AbortSignal,
  ): Promise<{ readonly isKept: boolean }> {
    const { name } = signingKey.metadata;
    const all = [...this.#others(signingKey), { ...signingKey, ...(status && { status }) }];
    const members = all.filter((one) => isInJwks(one, this.#options.jwksMembers));
    const jwks = buildJwks(members, compromisedKids(all));
    const isKept = await applyJwks(this.#options, { signingKey, jwks, signal });
    if (!isKept)
      this.#log.warn("the ConfigMap for the key set is not the operator's", { name: `${name}-jwks` });
    return { isKept };
  }

  /** @throws the failure where a key is to begin to sign, and can wait until the key set holds it */
  #goOnUnpublished({ metadata }: SigningKey, { activation }: SigningKeyPlan, failure: unknown): void {
    const key = keyOf(metadata);
    // A conflict does not count: the watch brings the newer object.
    const failures = (this.#unpublished.get(key) ?? 0) + (isConflict(failure) ? 0 : 1);
    this.#unpublished.set(key, failures);
    const name = configMapNameOf(metadata.name);
    const configMap = this.#options.configMaps.get(`${metadata.namespace}/${name}`);
    if (!activation || holdsKid(configMap, activation.kid)) return;
    if (activation.mayWaitForJwks && failures < MAX_UNPUBLISHED) throw failure;
    const { kid } = activation;
    this.#log.error('a key begins to sign that the ConfigMap does not hold', { name, kid, failures });
  }

  #others({ metadata: { name } }: SigningKey): SigningKey[] {
    const { signingKeys, namespace } = this.#options;
    return [...signingKeys.values()].filter(
      ({ metadata }) => metadata.namespace === namespace && metadata.name !== name,
    );
  }

  #follow({ metadata, spec, status }: SigningKey): boolean {
    const names = [
      spec.privateKeyRef?.name,
      ...(status?.keys ?? []).map(({ secretRef }) =>
        secretRef?.key === undefined ? undefined : secretRef.name,
      ),
    ].filter((name) => name !== undefined);
    const keys = [...new Set(names)].map((name) => `${metadata.namespace}/${name}`);
    return this.#options.named.follow(signingKeyFollowerOf(keyOf(metadata)), keys);
  }

  #result({ requeueAt }: SigningKeyPlan, isSettled: boolean): ReconcileResult {
    const waits = [
      ...(requeueAt === undefined ? [] : [Math.max(0, requeueAt - this.#options.clock.now())]),
      ...(isSettled ? [] : [LOOK_AGAIN_MS]),
    ];
    return waits.length === 0 ? DONE : { kind: 'requeue', afterMs: Math.min(...waits) };
  }
}

const describeFailure = (error: ApiError): string =>
  isRejected(error)
    ? secretRejection(error, 'its Secret')
    : `its Secret could not be written (${answerOf(error)})`;

const summary = (keys: readonly KeyEntry[] = []): string[] => keys.map(({ kid, phase }) => `${phase} ${kid}`);
