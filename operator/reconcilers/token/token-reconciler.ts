import { keyOf } from '../../api/meta.ts';
import type { Token } from '../../api/token.ts';
import { clientKeyOf, mayLackAnnotations, secretNameOf } from '../../domain/token/declared-token.ts';
import { CAUSE_TRAITS, type IssueCause } from '../../domain/token/issue-cause.ts';
import { secretInPlace } from '../../domain/token/secret-content.ts';
import { overwrittenMessage } from '../../domain/token/secret-faults.ts';
import { REISSUES } from '../../domain/token/token-delivery.ts';
import type { TokenObservation } from '../../domain/token/token-observation.ts';
import { planToken } from '../../domain/token/token-plan.ts';
import {
  overwrittenEvent,
  statusDespiteSecret,
  statusOverwritten,
  type TokenPlan,
} from '../../domain/token/token-status.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventRecorder } from '../../ports/events.ts';
import { ApiError, getIfThere, isConflict } from '../../ports/kube.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { DONE, type ReconcileResult } from '../../runtime/controller.ts';
import type { OwnClients } from '../oauth-client/own-clients.ts';
import { removeSecrets, writeSecret } from './secret-writes.ts';
import { type Findings, type Observed, observeToken, type TokenSources } from './token-observer.ts';
import { AlteredSecrets, BlockerTimes, REPAIRS, TokenPace } from './token-pace.ts';
import { followerOf } from './token-triggers.ts';
import { deleteToken, type TokenSinks, writeStatus } from './token-writes.ts';

/** The dependencies of the {@link TokenReconciler}. */
export type TokenReconcilerOptions = TokenSources &
  TokenSinks & {
    readonly ownClients: OwnClients;
    readonly clock: Clock;
    readonly events: EventRecorder;
    readonly metrics: Pick<Metrics, 'tokenIssued' | 'tokenCollected'>;
    readonly log: Log;
  };

/** A step ends the reconcile, or leads to another plan that also knows the findings. */
type Step = { readonly end: ReconcileResult } | { readonly again: Findings };

/** An observation, and the Token that it was made from if that is the whole one. */
type ObservedWhole = Observed & Pick<Findings, 'whole'>;

type DeliveringPlan = Extract<TokenPlan, { kind: 'deliver' }>;
type RemovingPlan = Extract<TokenPlan, { kind: 'record' }> | DeliveringPlan;

/**
 * Whether the Token would become the controller of the Secret in place. One that is being deleted, which the cache may not show yet,
 * would take it with it, although `kubectl delete --cascade=orphan` asks for the opposite: the Token is read first.
 */
const isTakeover = ({ observation }: Observed): boolean => {
  const inPlace = secretInPlace(observation);
  return inPlace?.owned === true && inPlace.controller !== 'Token';
};

/** A plan whose Secret was written, with the condition about fields that the API server did not store as they were sent. */
const withOverwriting = (
  plan: DeliveringPlan,
  { observation }: Observed,
  fields: readonly string[],
): DeliveringPlan => {
  if (fields.length === 0) return plan;
  const status = statusOverwritten(observation, plan.status, overwrittenMessage(plan.write.name, fields));
  const event = overwrittenEvent(observation.token.status, status);
  return { ...plan, status, events: event ? [...plan.events, event] : plan.events };
};

/** The most steps of one reconcile: the Token is read, a Secret exists, is adopted, was out of date, could not be written, and a plan after each. */
const MAX_STEPS = 8;
/** The shortest time until a key is reconciled again, in milliseconds. */
const SHORTEST_REQUEUE_MS = 1000;
/** When to reconcile again while the watch of an awaited Secret has not shown it yet, and if it can't be watched, in milliseconds. */
const UNSEEN_REQUEUE_MS = 1000;
const UNWATCHED_REQUEUE_MS = 60_000;

/**
 * Reconciles Tokens (spec §2.1): observes one, plans, applies the plan. RBAC: get, list, watch and delete tokens; update
 * tokens/status; get, list, watch, create, update and delete secrets; get, list and watch oauthclients and namespaces.
 */
export class TokenReconciler {
  readonly #options: TokenReconcilerOptions;
  readonly #log: Log;
  readonly #repairs = new TokenPace(REPAIRS);
  readonly #reissues = new TokenPace(REISSUES);
  readonly #blockers = new BlockerTimes();
  readonly #altered = new AlteredSecrets();

  constructor(options: TokenReconcilerOptions) {
    this.#options = options;
    this.#log = options.log.child({ kind: 'Token' });
  }

  /**
   * Reconciles the Token with that key (`namespace/name`), if it exists. Must not run twice for one key at the same time.
   * @throws ApiError on a conflict, to be planned again, and on a request that failed, to be retried with backoff
   */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    let findings: Findings = {};
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const token = findings.whole ?? this.#options.tokens.get(key);
      if (token === undefined || this.#isNamespaceTerminating(token) || !this.#isOwn(token))
        return this.#release(key);
      const now = this.#options.clock.now();
      const observed = await observeToken(token, this.#options, {
        ...findings,
        now,
        signal,
        blocker: this.#blockers.of(token.metadata.uid),
        reissueAt: this.#reissues.possibleAt(token.metadata.uid, now),
        repairAt: this.#repairs.possibleAt(token.metadata.uid, now),
      });
      const plan = planToken(this.#withAltered(observed.observation));
      const outcome = await this.#apply(plan, { ...observed, whole: findings.whole }, signal);
      if ('end' in outcome) {
        this.#blockers.note(this.#options.tokens.get(key) ?? token, now);
        if (findings.error) throw findings.error;
        return this.#awaitSecret(token, plan.awaits, outcome.end);
      }
      findings = outcome.again;
    }
    return { kind: 'requeue', afterMs: SHORTEST_REQUEUE_MS };
  }

  #withAltered(observation: TokenObservation): TokenObservation {
    const { token, now } = observation;
    const { resourceVersion } = secretInPlace(observation) ?? {};
    const failure = this.#altered.failureOf(token.metadata.uid, resourceVersion, now);
    return failure && !observation.failure ? { ...observation, failure } : observation;
  }

  #isNamespaceTerminating({ metadata }: Token): boolean {
    const namespace = this.#options.namespaces.get(metadata.namespace);
    return namespace?.metadata.deletionTimestamp !== undefined;
  }

  /** Whether it is of a client of this issuer; others leave it alone. */
  #isOwn(token: Token): boolean {
    const { clients, ownClients } = this.#options;
    const key = clientKeyOf(token);
    const client = clients.get(key);
    return client ? ownClients.has(client) : ownClients.mayMiss(key, token.metadata);
  }

  #release(key: string): ReconcileResult {
    this.#options.named.follow(followerOf(key), []);
    return DONE;
  }

  /** Watches the Secret that the Token waits for. Polls until its watch shows it, or if too many Secrets are watched already. */
  #awaitSecret({ metadata }: Token, awaits: string | undefined, result: ReconcileResult): ReconcileResult {
    const { named, secrets } = this.#options;
    const keys = awaits === undefined ? [] : [`${metadata.namespace}/${awaits}`];
    const isFollowed = named.follow(followerOf(keyOf(metadata)), keys);
    if (keys.every((key) => named.get(key) ?? secrets.get(key))) return result;
    const limit = isFollowed ? UNSEEN_REQUEUE_MS : UNWATCHED_REQUEUE_MS;
    return result.kind === 'done' || result.afterMs > limit ? { kind: 'requeue', afterMs: limit } : result;
  }

  async #apply(plan: TokenPlan, observed: ObservedWhole, signal: AbortSignal): Promise<Step> {
    const { token } = observed.observation;
    switch (plan.kind) {
      case 'wait':
        return { end: this.#resultOf(plan) };
      case 'adopt':
        this.#log.info('adopting the JWT found in the Secret', this.#fields(token, plan.status.id));
        await writeStatus(this.#options, token, plan.status, signal);
        return { again: {} };
      case 'collect':
        await deleteToken(this.#options, token, signal);
        this.#options.metrics.tokenCollected();
        this.#recordEvents(token, plan);
        return { end: DONE };
      case 'record':
        return this.#record(plan, observed, signal);
      case 'deliver':
        return observed.whole === undefined && (mayLackAnnotations(token) || isTakeover(observed))
          ? this.#readWhole(observed, signal)
          : this.#deliver(plan, observed, signal);
    }
  }

  /** Plans again from the whole Token, once it is known that its Secret is to be written, and from the Secret if that was read. */
  async #readWhole({ observation, secrets }: Observed, signal: AbortSignal): Promise<Step> {
    const { token } = observation;
    const whole = await getIfThere(this.#options.wholeTokenClient, token.metadata, signal);
    const existing = secrets.get(secretNameOf(token))?.fetched;
    return whole ? { again: { whole, ...(existing && { existing }) } } : { end: DONE };
  }

  async #record(
    plan: Extract<TokenPlan, { kind: 'record' }>,
    { observation }: Observed,
    signal: AbortSignal,
  ): Promise<Step> {
    const { token } = observation;
    const isStatusFirst = plan.order === 'StatusFirst';
    const denied = isStatusFirst ? undefined : await this.#tryRemoval(token, plan, signal);
    await this.#writeStatus(token, plan, { denied, signal });
    this.#recordEvents(token, plan);
    if (denied) throw denied;
    if (isStatusFirst) await removeSecrets(this.#options, token, plan.remove, signal);
    return { end: this.#resultOf(plan) };
  }

  /** Removes a plan's Secrets. An error other than a conflict is returned, to be thrown once the status is written. */
  async #tryRemoval(
    token: Token,
    { remove }: RemovingPlan,
    signal: AbortSignal,
  ): Promise<ApiError | undefined> {
    try {
      await removeSecrets(this.#options, token, remove, signal);
      return undefined;
    } catch (error) {
      if (error instanceof ApiError && !isConflict(error)) return error;
      throw error;
    }
  }

  /** Writes a plan's status, if it has one; `denied` is why a Secret could not be removed. */
  async #writeStatus(
    token: Token,
    plan: RemovingPlan,
    { denied, signal }: { readonly denied: ApiError | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    const status = denied && plan.status ? statusDespiteSecret(token, plan.status) : plan.status;
    if (status !== undefined) await writeStatus(this.#options, token, status, signal);
  }

  async #deliver(plan: DeliveringPlan, observed: ObservedWhole, signal: AbortSignal): Promise<Step> {
    const { token } = observed.observation;
    const { whole } = observed;
    const written = await writeSecret(this.#options, observed, { ...plan, signal });
    switch (written.kind) {
      case 'gone':
        return { end: DONE };
      case 'stale':
        return { again: {} };
      case 'exists':
        return { again: { existing: written.existing, whole } };
      case 'altered':
        this.#altered.note(token.metadata.uid, written, this.#options.clock.now());
        return { again: { failure: written.failure, whole } };
      case 'failed':
        return { again: { failure: written.failure, error: written.error, whole } };
      case 'written':
        this.#countDelivery(token, plan.cause);
        this.#altered.clear(token.metadata.uid);
        break;
    }
    return this.#finishDelivery(withOverwriting(plan, observed, written.overwritten), token, signal);
  }

  async #finishDelivery(plan: DeliveringPlan, token: Token, signal: AbortSignal): Promise<Step> {
    const denied = await this.#tryRemoval(token, plan, signal);
    await this.#writeStatus(token, plan, { denied, signal });
    if (plan.cause !== 'SecretFault') this.#options.metrics.tokenIssued(CAUSE_TRAITS[plan.cause].outcome);
    const id = plan.status?.id ?? token.status?.id;
    this.#log.info('JWT delivered', { ...this.#fields(token, id), cause: plan.cause, kid: plan.jwt?.kid });
    this.#recordEvents(token, plan);
    if (denied) throw denied;
    return { end: this.#resultOf(plan) };
  }

  /** Counts a Secret that was written. A write that failed has its own backoff, by the blocker that it leaves. */
  #countDelivery({ metadata }: Token, cause: IssueCause | 'SecretFault'): void {
    const now = this.#options.clock.now();
    if (cause === 'SecretFault') this.#repairs.take(metadata.uid, now);
    else if (CAUSE_TRAITS[cause].isPaced) this.#reissues.take(metadata.uid, now);
  }

  #resultOf({ requeueAt }: TokenPlan): ReconcileResult {
    if (requeueAt === undefined) return DONE;
    const afterMs = Math.max(requeueAt - this.#options.clock.now(), SHORTEST_REQUEUE_MS);
    return { kind: 'requeue', afterMs };
  }

  #recordEvents(token: Token, { events }: TokenPlan): void {
    for (const event of events) this.#options.events.record({ regarding: token, ...event });
  }

  #fields({ metadata }: Token, jti: string | undefined) {
    return { namespace: metadata.namespace, name: metadata.name, jti };
  }
}
