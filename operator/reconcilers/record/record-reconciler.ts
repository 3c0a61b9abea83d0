import { keyOf } from '../../api/meta.ts';
import type { ClientPresence, CollectionSettings, RecordPlan } from '../../domain/record/record-plan.ts';
import type { RecordObject } from '../../domain/record/token-record.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DecodedClient } from '../../ports/decoded-client.ts';
import { deleteIfPresent, isNotFound } from '../../ports/kube.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Keyring } from '../../ports/signing.ts';
import { DONE, type ReconcileResult } from '../../runtime/controller.ts';
import type { ClientPresenceReader } from './client-presence.ts';
import type { RecordObjectKind } from './record-kinds.ts';
import type { RecordSchedule } from './record-schedule.ts';

/** What a plan for a record is made from, besides the record. */
export interface RecordSources<T extends RecordObject> {
  /** Whether the client of that key, `<namespace>/<name>`, belongs to another issuer, which keeps its records. */
  readonly isOfAnother: (client: string) => boolean;
  readonly kind: RecordObjectKind<T>;
  readonly recordClients: Pick<ClientPresenceReader, 'of'>;
  readonly keyring: Pick<Keyring, 'phase'>;
  readonly settings: CollectionSettings;
  readonly clock: Clock;
}

/** All that a reconciler of records of issued tokens works with. */
export type RecordReconcilerOptions<T extends RecordObject> = RecordSources<T> & {
  readonly records: WritableCache<T>;
  readonly recordClients: ClientPresenceReader;
  readonly objects: Pick<DecodedClient<T>, 'writeStatus' | 'delete'>;
  readonly schedule: Pick<RecordSchedule, 'add'>;
  readonly metrics: Pick<Metrics, 'recordsCollected'>;
  readonly log: Log;
};

const LEFT_ALONE: RecordPlan = { kind: 'wait', requeueAt: undefined };

/** Plans an object from the caches, or from what the API server said of its client. */
export const planRecordObject = <T extends RecordObject>(
  { kind, isOfAnother, recordClients, keyring, settings, clock }: RecordSources<T>,
  record: T,
  client: ClientPresence = recordClients.of(record),
): RecordPlan =>
  isOfAnother(record.client)
    ? LEFT_ALONE
    : kind.plan(record, { client, keyPhase: (kid) => keyring.phase(kid), settings, now: clock.now() });

const fieldsOf = ({ client, metadata }: RecordObject) => ({
  namespace: metadata.namespace,
  name: metadata.name,
  client,
});

/**
 * Keeps the records of issued tokens of one kind (spec §2.2, §2.3): writes down revocations, collects what is past its
 * time. Needs get, list, watch, delete of the kind; update of its status; get of oauthclients. No Events: at thousands of
 * records a second each would be one write more (docs/decisions/0006).
 */
export class RecordReconciler<T extends RecordObject> {
  readonly #options: RecordReconcilerOptions<T>;
  readonly #log: Log;

  constructor(options: RecordReconcilerOptions<T>) {
    this.#options = options;
    this.#log = options.log.child({ kind: options.kind.name });
  }

  /**
   * Reconciles the object of that key; not reentrant for a key.
   * @throws ApiError on a conflict (plan again) and on any other failure of the API server
   */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { records, recordClients, schedule } = this.#options;
    const record = records.get(key);
    if (record === undefined) return DONE;
    let plan = planRecordObject(this.#options, record);
    if (plan.kind === 'ask') {
      plan = planRecordObject(this.#options, record, await recordClients.ask(record, signal));
    }
    switch (plan.kind) {
      case 'blacklist':
        await this.#blacklist(record, plan, signal);
        break;
      case 'collect':
        await this.#collect(record, plan, signal);
        break;
      case 'wait':
        if (plan.requeueAt !== undefined) schedule.add(key, plan.requeueAt);
        break;
      case 'ask':
        throw new Error('an answer of the API server leaves nothing to be asked');
    }
    return DONE;
  }

  /** The next plan follows from the change of the cache. */
  async #blacklist(
    record: T,
    { cause, kids, status }: Extract<RecordPlan, { kind: 'blacklist' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { records, objects } = this.#options;
    try {
      records.putIfNewer(await objects.writeStatus(record, status, signal));
    } catch (error) {
      // Deleted meanwhile, which revokes it as well.
      if (isNotFound(error)) return;
      throw error;
    }
    this.#log.info('blacklisted', { ...fieldsOf(record), cause, kids });
  }

  async #collect(
    record: T,
    { why, records: collected }: Extract<RecordPlan, { kind: 'collect' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { records, objects, metrics } = this.#options;
    const isOurs = await deleteIfPresent(objects.delete(record, signal));
    records.forget(keyOf(record.metadata), record.metadata.uid);
    if (!isOurs) return;
    metrics.recordsCollected(why, collected);
    this.#log.debug('collected', { ...fieldsOf(record), why });
  }
}
