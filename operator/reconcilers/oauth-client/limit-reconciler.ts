import { keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { Emitter } from '../../async/emitter.ts';
import { LIMIT_REACHED, planLimitCondition } from '../../domain/client/limit-condition.ts';
import { type LimitRejections, sumReports } from '../../domain/client/limit-reports.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { DONE, type ReconcileResult } from '../../runtime/controller.ts';
import { CLIENT_INDEX, LIMITED } from './client-indexes.ts';
import { type ClientSinks, writeClientStatus } from './client-reconciler.ts';
import type { OwnClients } from './own-clients.ts';

/** What all replicas have rejected because of limits, as their last reports say. */
export class ReportedRejections {
  readonly #changes: Emitter<ReadonlySet<string>>;
  #byClient: ReadonlyMap<string, LimitRejections> = new Map();

  constructor(log: Log) {
    this.#changes = new Emitter((error) => log.error('a handler of rejections threw', { error }));
  }

  /** Takes the reports of all live replicas, in place of the ones before. */
  set(reports: readonly string[]): void {
    const before = this.#byClient;
    this.#byClient = sumReports(reports);
    const keys = new Set([...before.keys(), ...this.#byClient.keys()]);
    if (keys.size > 0) this.#changes.emit(keys);
  }

  get(key: string): LimitRejections | undefined {
    return this.#byClient.get(key);
  }

  /** Called with the keys of clients in the reports before or now. */
  onChange(handler: (keys: ReadonlySet<string>) => void): () => void {
    return this.#changes.on(handler);
  }
}

export interface LimitReconcilerOptions extends ClientSinks {
  readonly ownClients: Pick<OwnClients, 'has'>;
  readonly rejected: Pick<ReportedRejections, 'get'>;
  readonly clock: Clock;
}

/** The least time between two writes of the condition of a client: a rejection costs no write. */
const WRITE_INTERVAL_MS = 60_000;
/** Clients whose last write is remembered. */
const MAX_REMEMBERED = 10_000;

/** Keeps condition `LimitReached` of clients (spec §2.4). Needs what registration needs. */
export class ClientLimitReconciler {
  readonly #options: LimitReconcilerOptions;
  readonly #writtenAt = new BoundedMap<string, number>(MAX_REMEMBERED);

  constructor(options: LimitReconcilerOptions) {
    this.#options = options;
  }

  /** The clients with the condition, when this replica starts to lead: the one before may have written it a moment ago. */
  seed(): string[] {
    const { clients, clock } = this.#options;
    const reached = [...clients.byIndex(CLIENT_INDEX.limitReached, LIMITED)];
    for (const { metadata } of reached) this.#writtenAt.set(metadata.uid, clock.now());
    return reached.map(({ metadata }) => keyOf(metadata));
  }

  /** @throws ApiError on a conflict (plan again) and on any other failure of the API server */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { clients, ownClients, rejected, clock } = this.#options;
    const client = clients.get(key);
    if (client === undefined || !ownClients.has(client)) return DONE;
    const now = clock.now();
    const status = planLimitCondition({ client, rejections: rejected.get(key), now });
    if (status === undefined) return DONE;
    const waitMs = this.#waitMs(client, now);
    if (waitMs > 0) return { kind: 'requeue', afterMs: waitMs };
    await writeClientStatus(this.#options, client, { status, about: LIMIT_REACHED, signal });
    this.#writtenAt.set(client.metadata.uid, now);
    return DONE;
  }

  #waitMs({ metadata }: OAuthClient, now: number): number {
    const writtenAt = this.#writtenAt.get(metadata.uid);
    return writtenAt === undefined ? 0 : Math.min(WRITE_INTERVAL_MS, writtenAt + WRITE_INTERVAL_MS - now);
  }
}
