import { keyOf } from '../../api/meta.ts';
import type { Token } from '../../api/token.ts';
import { CAUSE_TRAITS } from '../../domain/token/issue-cause.ts';
import type { TokenPlan } from '../../domain/token/token-outcome.ts';
import { planToken } from '../../domain/token/token-plan.ts';
import { statusDespiteSecret } from '../../domain/token/token-status.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventRecorder } from '../../ports/events.ts';
import { ApiError, isConflict } from '../../ports/kube.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { DONE, type ReconcileResult } from '../../runtime/controller.ts';
import { BlockerTimes } from './blocker-times.ts';
import { RepairPacer } from './repair-pacer.ts';
import { type Observed, observeToken, type PassFindings, type TokenSources } from './token-observer.ts';
import { followerOf } from './token-triggers.ts';
import { deleteToken, removeSecrets, type TokenSinks, writeSecret, writeStatus } from './token-writes.ts';

/** All that the reconciler of Tokens works with. `settings`, caches and clients come ready. */
export type TokenReconcilerOptions = TokenSources &
  TokenSinks & {
    readonly clock: Clock;
    readonly events: EventRecorder;
    readonly metrics: Pick<Metrics, 'tokenIssued' | 'tokenCollected'>;
    readonly log: Log;
  };

/** What a step of a pass leads to: its end, or another plan that knows more. */
type Step = { readonly end: ReconcileResult } | { readonly again: PassFindings };

type RemovingPlan = Extract<TokenPlan, { kind: 'record' | 'deliver' }>;

/** A pass has no more steps than: met by a create, adopted, stale, failed, planned. */
const MAX_STEPS = 6;
/** The shortest wait that a plan gets, in milliseconds. */
const SHORTEST_WAIT = 1000;
/** How soon to look again for a Secret in the way that its watch has not shown yet, and for one that is not watched, in milliseconds. */
const UNSEEN_WAIT = 1000;
const UNFOLLOWED_WAIT = 60_000;

/**
 * Brings Tokens to what their specs ask for (spec §2.1): observe, plan, apply. Needs get, list, watch, delete of tokens; update
 * of tokens/status; get, create, update, delete of secrets; metadata of secrets, oauthclients and namespaces.
 */
export class TokenReconciler {
  readonly #options: TokenReconcilerOptions;
  readonly #log: Log;
  readonly #pacer = new RepairPacer();
  readonly #blockers = new BlockerTimes();

  constructor(options: TokenReconcilerOptions) {
    this.#options = options;
    this.#log = options.log.child({ kind: 'Token' });
  }

  /**
   * One pass for the Token of that key; to be called for one key at a time.
   * @throws ApiError on a conflict (plan again soon) and on what the API server could not do
   */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    let findings: PassFindings = {};
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const token = this.#options.tokens.get(key);
      if (token === undefined || this.#isNamespaceGoing(token)) return this.#leave(key);
      const now = this.#options.clock.now();
      const blocker = this.#blockers.of(token.metadata.uid);
      const observed = await observeToken(token, this.#options, { ...findings, now, signal, blocker });
      const plan = planToken(observed.observation);
      const outcome = await this.#apply(plan, observed, signal);
      if ('end' in outcome) {
        this.#blockers.note(this.#options.tokens.get(key) ?? token, now);
        if (findings.error) throw findings.error;
        return this.#await(token, plan.awaits, outcome.end);
      }
      findings = outcome.again;
    }
    return { kind: 'requeue', afterMs: SHORTEST_WAIT };
  }

  #isNamespaceGoing({ metadata }: Token): boolean {
    const namespace = this.#options.namespaces.get(metadata.namespace);
    return namespace?.metadata.deletionTimestamp !== undefined;
  }

  #leave(key: string): ReconcileResult {
    this.#options.named.follow(followerOf(key), []);
    return DONE;
  }

  /** Follows the Secret that is in the way; until its watch knows it, or where there are too many to be followed, time has to do. */
  #await({ metadata }: Token, awaits: string | undefined, result: ReconcileResult): ReconcileResult {
    const { named, secrets } = this.#options;
    const keys = awaits === undefined ? [] : [`${metadata.namespace}/${awaits}`];
    const isFollowed = named.follow(followerOf(keyOf(metadata)), keys);
    if (keys.every((key) => named.get(key) ?? secrets.get(key))) return result;
    const limit = isFollowed ? UNSEEN_WAIT : UNFOLLOWED_WAIT;
    return result.kind === 'done' || result.afterMs > limit ? { kind: 'requeue', afterMs: limit } : result;
  }

  async #apply(plan: TokenPlan, observed: Observed, signal: AbortSignal): Promise<Step> {
    const { token } = observed.observation;
    switch (plan.kind) {
      case 'wait':
        return { end: this.#resultOf(plan) };
      case 'adopt':
        this.#log.info('adopting the issuance found in the Secret', this.#fields(token, plan.status.id));
        await writeStatus(this.#options, token, plan.status, signal);
        return { again: {} };
      case 'collect':
        await deleteToken(this.#options, token, signal);
        this.#options.metrics.tokenCollected();
        this.#announce(token, plan);
        return { end: DONE };
      case 'record':
        return this.#record(plan, observed, signal);
      case 'deliver':
        return this.#deliver(plan, observed, signal);
    }
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
    this.#announce(token, plan);
    if (denied) throw denied;
    if (isStatusFirst) await removeSecrets(this.#options, token, plan.remove, signal);
    return { end: this.#resultOf(plan) };
  }

  /** Removes a plan's Secrets; what the API server has against it is returned, since the status has to say the rest all the same. */
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

  /** Writes a plan's status, if it has one. */
  async #writeStatus(
    token: Token,
    plan: RemovingPlan,
    { denied, signal }: { readonly denied: ApiError | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    const status = denied && plan.status ? statusDespiteSecret(token, plan.status) : plan.status;
    if (status !== undefined) await writeStatus(this.#options, token, status, signal);
  }

  async #deliver(
    plan: Extract<TokenPlan, { kind: 'deliver' }>,
    observed: Observed,
    signal: AbortSignal,
  ): Promise<Step> {
    const { token } = observed.observation;
    const isRepair = plan.cause === 'SecretFault';
    const wait = isRepair ? this.#pacer.take(token.metadata.uid, this.#options.clock.now()) : 0;
    if (wait > 0) return { end: { kind: 'requeue', afterMs: wait } };
    const written = await writeSecret(this.#options, observed, { ...plan, signal });
    switch (written.kind) {
      case 'gone':
        return { end: DONE };
      case 'stale':
        return { again: {} };
      case 'met':
        return { again: { met: written.met } };
      case 'failed':
        return { again: { failure: written.failure, error: written.error } };
      case 'written':
        break;
    }
    const denied = await this.#tryRemoval(token, plan, signal);
    await this.#writeStatus(token, plan, { denied, signal });
    if (plan.cause !== 'SecretFault') this.#options.metrics.tokenIssued(CAUSE_TRAITS[plan.cause].outcome);
    const id = plan.status?.id ?? token.status?.id;
    this.#log.info('delivered', { ...this.#fields(token, id), cause: plan.cause, kid: plan.jwt?.kid });
    this.#announce(token, plan);
    if (denied) throw denied;
    return { end: this.#resultOf(plan) };
  }

  #resultOf({ requeueAt }: TokenPlan): ReconcileResult {
    if (requeueAt === undefined) return DONE;
    const afterMs = Math.max(requeueAt - this.#options.clock.now(), SHORTEST_WAIT);
    return { kind: 'requeue', afterMs };
  }

  #announce(token: Token, { events }: TokenPlan): void {
    for (const event of events) this.#options.events.record({ regarding: token, ...event });
  }

  #fields({ metadata }: Token, jti: string | undefined) {
    return { namespace: metadata.namespace, name: metadata.name, jti };
  }
}
