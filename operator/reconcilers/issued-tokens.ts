import type { IssuedToken } from '../api/issued-token.ts';
import { keyOf } from '../api/meta.ts';
import { type IssuedRecord, issuedRecordOf } from '../domain/issued-record.ts';
import {
  type CollectionSettings,
  type CollectReason,
  type IssuedTokenPlan,
  planIssuedToken,
  type RecordClient,
} from '../domain/issued-token-plan.ts';
import type { WritableCache } from '../ports/cache.ts';
import type { Clock } from '../ports/clock.ts';
import { isNotFound, type ResourceClient } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Keyring } from '../ports/signing.ts';
import { DONE, type Verdict } from '../runtime/controller.ts';
import type { RecordClients } from './record-clients.ts';
import type { RecordSchedule } from './record-schedule.ts';

/** What a plan for a record is made from, besides the record. */
export interface RecordSources {
  readonly recordClients: Pick<RecordClients, 'of'>;
  readonly keyring: Pick<Keyring, 'phase'>;
  readonly settings: CollectionSettings;
  readonly clock: Clock;
}

/** All that the reconciler of IssuedTokens works with. */
export type IssuedTokenReconcilerOptions = RecordSources & {
  readonly records: WritableCache<IssuedRecord>;
  readonly recordClients: RecordClients;
  readonly recordClient: Pick<ResourceClient<IssuedToken>, 'updateStatus' | 'delete'>;
  readonly schedule: Pick<RecordSchedule, 'add'>;
  readonly metrics: Pick<Metrics, 'recordCollected'>;
  readonly log: Log;
};

/** Plans a record from what is known without asking anybody, unless the API server has said something of its client. */
export const planRecord = (
  { recordClients, keyring, settings, clock }: RecordSources,
  record: IssuedRecord,
  client: RecordClient = recordClients.of(record),
): IssuedTokenPlan =>
  planIssuedToken({ record, client, keyPhase: keyring.phase(record.keyID), settings, now: clock.now() });

const fieldsOf = ({ id, client, metadata }: IssuedRecord) => ({
  namespace: metadata.namespace,
  name: id,
  client,
});

/**
 * Keeps the records of handed-out tokens (contract §2.2): writes down revocations, collects what is past its time. Needs
 * get, list, watch, delete of issuedtokens; update of issuedtokens/status; get of oauthclients. No Events: at thousands of
 * records a second each would be one write more (docs/decisions/0006).
 */
export class IssuedTokenReconciler {
  readonly #options: IssuedTokenReconcilerOptions;
  readonly #log: Log;

  constructor(options: IssuedTokenReconcilerOptions) {
    this.#options = options;
    this.#log = options.log.child({ kind: 'IssuedToken' });
  }

  /**
   * One pass for the record of that key; to be called for one key at a time.
   * @throws ApiError on a conflict (plan again soon) and on what the API server could not do
   */
  async reconcile(key: string, signal: AbortSignal): Promise<Verdict> {
    const { records, recordClients, schedule } = this.#options;
    const record = records.get(key);
    if (record === undefined) return DONE;
    let plan = planRecord(this.#options, record);
    if (plan.kind === 'ask') {
      plan = planRecord(this.#options, record, await recordClients.ask(record, signal));
    }
    switch (plan.kind) {
      case 'blacklist':
        await this.#blacklist(record, plan, signal);
        break;
      case 'collect':
        await this.#collect(record, plan.why, signal);
        break;
      case 'wait':
        if (plan.requeueAt !== undefined) schedule.add(key, plan.requeueAt);
        break;
      case 'ask':
        throw new Error('an answer of the API server leaves nothing to be asked');
    }
    return DONE;
  }

  /** What comes next, the change of the cache tells. */
  async #blacklist(
    record: IssuedRecord,
    { cause, status }: Extract<IssuedTokenPlan, { kind: 'blacklist' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { records, recordClient } = this.#options;
    const { name, namespace, uid, resourceVersion } = record.metadata;
    try {
      const answer = await recordClient.updateStatus(
        { metadata: { name, namespace, uid, resourceVersion }, status },
        { signal },
      );
      records.observe(issuedRecordOf(answer));
    } catch (error) {
      // Deleted meanwhile, which revokes it as well.
      if (isNotFound(error)) return;
      throw error;
    }
    this.#log.info('blacklisted', { ...fieldsOf(record), cause, kid: record.keyID });
  }

  async #collect(record: IssuedRecord, why: CollectReason, signal: AbortSignal): Promise<void> {
    const { records, recordClient, metrics } = this.#options;
    const { uid, resourceVersion } = record.metadata;
    let isOurs = true;
    try {
      await recordClient.delete(record.metadata, { uid, resourceVersion }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      isOurs = false;
    }
    records.forget(keyOf(record.metadata), uid);
    if (!isOurs) return;
    metrics.recordCollected(why);
    this.#log.debug('collected', { ...fieldsOf(record), why });
  }
}
