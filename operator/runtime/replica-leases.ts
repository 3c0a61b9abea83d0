import type { ObjectRef, OwnerReference } from '../api/meta.ts';
import { withDeadline } from '../async/abort.ts';
import { sleep } from '../async/sleep.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import {
  deleteIfPresent,
  getIfThere,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isNotFound,
  type ResourceClient,
} from '../ports/kube.ts';
import type { Lease } from '../ports/lease.ts';
import type { Log } from '../ports/log.ts';
import { buildLeaseSpec, microTime } from './lease-decision.ts';
import {
  countReplicas,
  type ObservedReplicas,
  observeReplicas,
  shareAmong,
  shareUncounted,
} from './replica-share.ts';

export interface ReplicaLeasesOptions {
  readonly leases: Pick<ResourceClient<Lease>, 'get' | 'create' | 'update' | 'delete'>;
  /** All Leases with {@link REPLICA_LABEL} in the namespace, by a consistent read. */
  readonly listLeases: (signal: AbortSignal) => Promise<readonly Lease[]>;
  /** Of this replica's own Lease: unique to the process. */
  readonly lease: ObjectRef;
  /** With which our Lease is deleted, in its namespace: this Pod. Undefined where none is known. */
  readonly owner?: OwnerReference | undefined;
  readonly identity: string;
  /** Whether replicas have to know each other now. Nothing is written while they have not. */
  readonly isNeeded: () => boolean;
  readonly isLeading: () => boolean;
  /** What this replica reports to the leader with its Lease, a short text; '' for nothing. */
  readonly report: () => string;
  /** Called with the reports of all live replicas, after each list. */
  readonly onReports: (reports: readonly string[]) => void;
  readonly clock: MonotonicClock;
  readonly log: Log;
}

/** Label of the Leases by which replicas know each other, as kube-apiserver's identity Leases have one. */
export const REPLICA_LABEL = 'm2moauth.dev/replica';
/** Annotation with the report of a replica. */
const REPORT_ANNOTATION = 'm2moauth.dev/rejections';

const PERIOD_MS = 2_000;
/** A replica that has not renewed for so long does not count. */
const DURATION_MS = 10_000;
/** Then its Lease is deleted. */
const ABANDONED_AFTER_MS = 3 * DURATION_MS;
const CALL_MS = 4_000;
/** Between two log lines about the same action, which is tried every {@link PERIOD_MS}. */
const LOG_EVERY_MS = 60_000;

const identityOf = ({ name, namespace, uid, resourceVersion }: Lease['metadata']) => ({
  name,
  namespace,
  uid,
  resourceVersion,
});

/**
 * Knows the other live replicas by a Lease of each, and which share of a limit this one may use (spec §6, Replicas). A cycle renews our
 * Lease, then lists all of them; our Lease is not renewed again before that list has succeeded (replica-share.ts relies on it).
 */
export class ReplicaLeases {
  readonly #options: ReplicaLeasesOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #wakeUp = (): void => undefined;
  /** Ours as it was last written; undefined if there is none. */
  #own: Lease['metadata'] | undefined;
  /** Whether our Lease was listed since it was last renewed. */
  #isListed = true;
  /** Whether a list has ever succeeded. Before, no Lease is created: without the right to list, nobody would delete it. */
  #mayList = false;
  /** By action, the monotonic time before which its failures are not logged. */
  readonly #quietUntil = new Map<string, number>();
  /** Monotonic time until which the others count us; from before the write was sent. */
  #countedUntil = Number.NEGATIVE_INFINITY;
  #others: ObservedReplicas | undefined;
  #lastCount = 1;

  constructor(options: ReplicaLeasesOptions) {
    this.#options = options;
  }

  /** The part of each limit that this replica may use now, above 0 and at most 1. */
  share(): number {
    const now = this.#options.clock.monotonic();
    if (this.#others === undefined || now >= this.#countedUntil) return shareUncounted(this.#lastCount);
    return shareAmong(this.#others, now);
  }

  /** False while replicas have to know each other and this one has not listed them yet. */
  get isSettled(): boolean {
    return this.#others !== undefined || !this.#options.isNeeded();
  }

  start(): void {
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Looks at once whether replicas have to know each other. */
  wake(): void {
    this.#wakeUp();
  }

  /** To be called when nothing is issued any more: deletes our Lease, so that the others need not wait for it to run out. Never throws. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#try('delete', (signal) => this.#leave(signal));
  }

  async #run(signal: AbortSignal): Promise<void> {
    let wasNeeded = false;
    while (!signal.aborted) {
      const woken = new AbortController();
      this.#wakeUp = () => woken.abort();
      const isNeeded = this.#options.isNeeded();
      // The reports end with the need for them, also where our Lease was lost before.
      if (wasNeeded && !isNeeded) this.#options.onReports([]);
      wasNeeded = isNeeded;
      if (isNeeded) await this.#cycle(signal);
      else if (this.#own !== undefined) await this.#try('delete', (bounded) => this.#leave(bounded), signal);
      await sleep(this.#options.clock, PERIOD_MS, signal, woken.signal);
    }
  }

  async #cycle(signal: AbortSignal): Promise<void> {
    if (this.#options.clock.monotonic() >= this.#countedUntil) this.#others = undefined;
    if (!this.#mayList && !(await this.#try('list', (bounded) => this.#probeList(bounded), signal))) return;
    if (this.#isListed && !(await this.#try('renew', (bounded) => this.#renew(bounded), signal))) return;
    await this.#try('list', (bounded) => this.#list(bounded), signal);
  }

  /** Whether it succeeded; what fails is tried again in the next cycle. */
  async #try(
    action: string,
    call: (signal: AbortSignal) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { clock } = this.#options;
    try {
      await withDeadline({ clock, ms: CALL_MS, signal }, call);
      return true;
    } catch (error) {
      if (!signal?.aborted) this.#logFailure(action, error);
      return false;
    }
  }

  #logFailure(action: string, error: unknown): void {
    const { clock, log, lease } = this.#options;
    const now = clock.monotonic();
    if (now < (this.#quietUntil.get(action) ?? 0)) return;
    this.#quietUntil.set(action, now + LOG_EVERY_MS);
    log.warn('the Lease of this replica failed', { action, lease: lease.name, error });
  }

  async #probeList(signal: AbortSignal): Promise<void> {
    await this.#options.listLeases(signal);
    this.#mayList = true;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const sentAt = clock.monotonic();
    this.#own = await this.#write(signal);
    // Written after the last one ran out: meanwhile the others may have divided our share among themselves.
    if (clock.monotonic() >= this.#countedUntil) this.#others = undefined;
    this.#countedUntil = sentAt + DURATION_MS;
    this.#isListed = false;
  }

  async #write(signal: AbortSignal): Promise<Lease['metadata']> {
    const { leases, lease, identity, owner, clock, report } = this.#options;
    const now = microTime(clock.now());
    const text = report();
    const object = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease' as const,
      spec: buildLeaseSpec(undefined, { identity, leaseDurationMs: DURATION_MS, now }),
    };
    const meta = {
      labels: { [REPLICA_LABEL]: 'true' },
      ...(owner && { ownerReferences: [owner] }),
      ...(text !== '' && { annotations: { [REPORT_ANNOTATION]: text } }),
    };
    try {
      const written =
        this.#own === undefined
          ? await leases.create({ ...object, metadata: { ...lease, ...meta } }, { signal })
          : await leases.update({ ...object, metadata: { ...identityOf(this.#own), ...meta } }, { signal });
      return written.metadata;
    } catch (error) {
      // Deleted or changed by another writer: the others may not count us any more.
      if (isNotFound(error) || isConflict(error)) this.#forgetOwn();
      // An earlier create was without an answer, and succeeded.
      if (isAlreadyExists(error)) this.#own = (await leases.get(lease, { signal })).metadata;
      throw error;
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { listLeases, clock, onReports } = this.#options;
    const leases = await listLeases(signal);
    const now = clock.monotonic();
    const own = leases.find(({ metadata }) => metadata.name === this.#options.lease.name);
    if (own === undefined) return this.#forgetOwn();
    this.#own = own.metadata;
    const others = leases.filter((lease) => lease !== own);
    const listed = others.map(({ metadata, spec }) => ({
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      durationMs: (spec?.leaseDurationSeconds ?? 0) * 1000,
    }));
    this.#others = observeReplicas(this.#others, listed, now);
    this.#lastCount = countReplicas(this.#others, now);
    this.#isListed = true;
    onReports(this.#reportsOf(leases));
    if (this.#options.isLeading()) await this.#collect(others, signal);
  }

  /** Those of replicas that count, ours included. */
  #reportsOf(leases: readonly Lease[]): string[] {
    const now = this.#options.clock.monotonic();
    return leases.flatMap(({ metadata }) => {
      const text = metadata.annotations?.[REPORT_ANNOTATION];
      const known = this.#others?.get(metadata.uid);
      const isLive = known === undefined || now - known.since < known.durationMs;
      return text !== undefined && isLive ? [text] : [];
    });
  }

  /** Deletes the Leases of replicas that ended without doing so. */
  async #collect(others: readonly Lease[], signal: AbortSignal): Promise<void> {
    const { leases, clock } = this.#options;
    const now = clock.monotonic();
    for (const { metadata } of others) {
      const known = this.#others?.get(metadata.uid);
      if (known === undefined || now - known.since < ABANDONED_AFTER_MS) continue;
      await deleteIfPresent(leases.delete(metadata, metadata, { signal }));
    }
  }

  #forgetOwn(): void {
    this.#own = undefined;
    this.#others = undefined;
    this.#isListed = true;
    this.#countedUntil = Number.NEGATIVE_INFINITY;
  }

  /** Deletes our Lease; what fails is tried again in the next period. */
  async #leave(signal: AbortSignal): Promise<void> {
    const { leases, lease } = this.#options;
    const own = this.#own;
    if (own === undefined) return;
    this.#forgetOwn();
    this.#own = own;
    this.#lastCount = 1;
    try {
      await deleteIfPresent(leases.delete(own, own, { signal }));
    } catch (error) {
      // Without the right to delete it is left to the garbage collector.
      if (isForbidden(error)) this.#own = undefined;
      if (!isConflict(error)) throw error;
      // A renewal without an answer was written.
      const current = await getIfThere(leases, lease, signal);
      if (current) await deleteIfPresent(leases.delete(current.metadata, current.metadata, { signal }));
    }
    this.#own = undefined;
  }
}
