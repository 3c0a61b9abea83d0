import { keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { issuerOf } from '../../domain/client/client-rules.ts';
import { RECORD_OBJECT_INDEX, type RecordObject } from '../../domain/record/token-record.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { Keyring } from '../../ports/signing.ts';
import { BulkQueue, type KeySink } from '../../runtime/bulk-queue.ts';
import { planRecordObject, type RecordSources } from './record-reconciler.ts';
import type { RecordSchedule } from './record-schedule.ts';

/** The sources of events after which records are planned again. */
export type RecordTriggerOptions<T extends RecordObject> = RecordSources<T> & {
  readonly records: Cache<T>;
  readonly clients: Pick<Cache<OAuthClient>, 'onChange'>;
  readonly keyring: Pick<Keyring, 'phase' | 'onChange'>;
  readonly queue: KeySink;
  readonly schedule: Pick<RecordSchedule, 'add' | 'delete' | 'stop'>;
};

type Priority = 'high' | 'normal' | 'low';

function* keysOf(records: Iterable<RecordObject>): Generator<string> {
  for (const { metadata } of records) yield keyOf(metadata);
}

/**
 * Looks at each record as it changes, and lets into the queue only those with which something is to be done: of the thousands
 * that are made in a second nearly all just wait for their time, which costs an entry in the schedule. Before this replica
 * leads nothing is planned.
 */
export class RecordTriggers<T extends RecordObject> {
  readonly #options: RecordTriggerOptions<T>;
  readonly #bulk: BulkQueue;
  /** Of records that are there, without those that are compromised already. */
  readonly #kids = new Set<string>();
  #stops: (() => void)[] = [];
  #isLeading = false;

  constructor(options: RecordTriggerOptions<T>) {
    this.#options = options;
    const sifted = { add: (key: string, priority?: Priority) => this.#sift(key, priority) };
    this.#bulk = new BulkQueue(sifted, options.clock, options.kind.piece);
  }

  /** To be called before the caches start. */
  connect(): void {
    const { records, clients, keyring } = this.#options;
    this.#stops = [
      records.onChange((change) => this.#onRecord(change)),
      clients.onChange((change) => this.#onClient(change)),
      keyring.onChange(() => this.#onKeyring()),
    ];
  }

  /** This replica leads from now on, with its caches synced: looks at every record there is, a piece a turn of the event loop. */
  lead(): void {
    this.#isLeading = true;
    this.#bulk.add(this.#options.records.keys());
  }

  disconnect(): void {
    for (const stop of this.#stops) stop();
    this.#isLeading = false;
    this.#bulk.stop();
    this.#options.schedule.stop();
  }

  #sift(key: string, priority: Priority = 'normal'): void {
    const { kind, records, keyring, queue, schedule } = this.#options;
    const record = records.get(key);
    if (record === undefined) return;
    for (const kid of kind.kids(record)) if (keyring.phase(kid) !== 'Compromised') this.#kids.add(kid);
    const plan = planRecordObject(this.#options, record);
    if (plan.kind !== 'wait') queue.add(key, priority);
    else if (plan.requeueAt !== undefined) schedule.add(key, plan.requeueAt);
  }

  #onRecord(change: CacheChange<T>): void {
    if (!this.#isLeading) return;
    if (change.type === 'delete') this.#options.schedule.delete(change.key);
    else this.#sift(change.key, this.#options.kind.isUrgent(change.object) ? 'high' : 'normal');
  }

  /** Records of a client that is gone, was made anew under its name, or goes from one issuer to another. */
  #onClient(change: CacheChange<OAuthClient>): void {
    const isAnother =
      change.type === 'delete' ||
      change.old === undefined ||
      issuerOf(change.old) !== issuerOf(change.object);
    if (!this.#isLeading || !isAnother) return;
    const { records } = this.#options;
    this.#bulk.add(keysOf(records.byIndex(RECORD_OBJECT_INDEX.client, change.key)), `client ${change.key}`);
  }

  #onKeyring(): void {
    if (!this.#isLeading) return;
    const { records, keyring } = this.#options;
    for (const kid of this.#kids) {
      const isCompromised = keyring.phase(kid) === 'Compromised';
      if (isCompromised) this.#bulk.add(keysOf(records.byIndex(RECORD_OBJECT_INDEX.kid, kid)), `kid ${kid}`);
      if (isCompromised || records.countByIndex(RECORD_OBJECT_INDEX.kid, kid) === 0) this.#kids.delete(kid);
    }
  }
}
