import { isOlder, type ObjectRef } from '../api/meta.ts';
import { withDeadline } from '../async/abort.ts';
import { sleep } from '../async/sleep.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import { isAlreadyExists, isNotFound, type ResourceClient } from '../ports/kube.ts';
import type { Lease, LeaseSpec } from '../ports/lease.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import {
  buildLeaseSpec,
  buildReleasedSpec,
  type LeaseObservation,
  microTime,
  planLease,
} from './lease-decision.ts';
import type { Rewinds } from './rewinds.ts';

export interface LeaderElectionOptions {
  /** Calls on Leases over a connection of their own, so that no burst of work delays a renewal. */
  readonly leases: ResourceClient<Lease>;
  readonly lease: ObjectRef;
  /** Annotations of the Lease, which say whose it is; written with each renewal. Absent: none. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Unique to this process: pod name and a random part. */
  readonly identity: string;
  readonly leaseDurationMs: number;
  /** How long a holder tries to renew before it gives up; shorter than the duration. */
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  readonly clock: MonotonicClock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'leading'>;
  /** The Lease is read and written all the time, so that an earlier state of the API server shows there first. */
  readonly rewinds: Pick<Rewinds, 'found'>;
}

/** client-go's JitterFactor. */
const JITTER = 1.2;

/**
 * Holds a Lease as client-go's leaderelection does: both can compete for the same one. Every write is conditional on
 * the resourceVersion that was read; time is this process's own, monotonic. Use once: an object
 * whose lease was lost does not compete again.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  #observed: LeaseObservation | undefined;
  /** Of the observed Lease: labels and owners that others gave it stay. */
  #metadata: Lease['metadata'] | undefined;
  /** Monotonic time at which others may take the lease; counted from before the write was sent. */
  #ledUntil = Number.NEGATIVE_INFINITY;
  #leading = false;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
  }

  /** False as soon as another replica could hold the lease by local monotonic time, even if the event loop hung and no callback has run: the gate of every write. */
  isLeader(): boolean {
    return this.#leading && this.#options.clock.monotonic() < this.#ledUntil;
  }

  /** Identity of the holder as last seen; '' where there is none. */
  get holder(): string {
    return this.#observed?.spec.holderIdentity ?? '';
  }

  /** Resolves true once the lease is ours, false when `signal` aborts before. Never rejects. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    const { retryPeriodMs, random, clock, log, lease, metrics } = this.#options;
    metrics.leading(false);
    while (!signal.aborted) {
      if (await this.#tryOnce(signal, this.#options.renewDeadlineMs)) {
        this.#leading = true;
        metrics.leading(true);
        log.info('became the leader', { lease: lease.name });
        return true;
      }
      await sleep(clock, retryPeriodMs * (1 + random() * JITTER), signal);
    }
    return false;
  }

  /** Renews until it can't: resolves when the lease is lost, or when `signal` aborts (it is still ours then: {@link LeaderElection.release} it). Never rejects. */
  async hold(signal: AbortSignal): Promise<'lost' | 'aborted'> {
    const { clock, retryPeriodMs, renewDeadlineMs, leaseDurationMs } = this.#options;
    while (await sleep(clock, retryPeriodMs, signal)) {
      const renewedAt = this.#ledUntil - leaseDurationMs;
      const leftMs = renewedAt + renewDeadlineMs - clock.monotonic();
      if (leftMs <= 0) return this.#lose('no renewal within the deadline');
      // Half of the deadline at most: a call that hangs leaves time for another, over another connection.
      const renewed = await this.#tryOnce(signal, Math.min(leftMs, renewDeadlineMs / 2));
      if (!renewed && this.#isTakenOver()) return this.#lose('another replica holds the lease');
    }
    return 'aborted';
  }

  /** Gives the lease up, so that the next candidate need not wait for it to run out. Call when nothing writes any more. Never throws. */
  async release(deadlineMs = 2_000): Promise<void> {
    const observed = this.#observed;
    const wasLeading = this.isLeader();
    this.#stopLeading();
    if (!wasLeading || !observed) return;
    const { clock, log } = this.#options;
    try {
      await withDeadline({ clock, ms: deadlineMs }, (signal) =>
        this.#write(buildReleasedSpec(observed.spec, microTime(clock.now())), signal),
      );
      log.info('released the lease');
    } catch (error) {
      log.warn('the lease could not be released; it expires by itself', { error });
    }
  }

  #lose(why: string): 'lost' {
    this.#options.log.error('lost the lease', { why, holder: this.holder });
    this.#stopLeading();
    return 'lost';
  }

  #stopLeading(): void {
    this.#leading = false;
    this.#ledUntil = Number.NEGATIVE_INFINITY;
    this.#options.metrics.leading(false);
  }

  /** A Lease that is gone, or has no holder, is not taken over: there is time to write it again. */
  #isTakenOver(): boolean {
    return this.holder !== '' && this.holder !== this.#options.identity;
  }

  async #tryOnce(signal: AbortSignal, deadlineMs: number): Promise<boolean> {
    try {
      return await withDeadline({ clock: this.#options.clock, ms: deadlineMs, signal }, (bounded) =>
        this.#acquireOrRenew(bounded),
      );
    } catch (error) {
      if (!signal.aborted) this.#options.log.warn('a call on the lease failed', { error });
      return false;
    }
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    // A leader that knows its record renews without reading; a conflict shows on the next look.
    if (this.isLeader() && this.#observed && (await this.#renewBlindly(signal))) return true;
    if (!(await this.#read(signal))) return this.#claim(undefined, signal);
    const observed = this.#observed;
    if (!observed) return false;
    const { identity, clock } = this.#options;
    const result = planLease(observed, identity, clock.monotonic());
    return result.kind === 'held' ? false : this.#claim(observed.spec, signal);
  }

  async #renewBlindly(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#claim(this.#observed?.spec, signal);
    } catch {
      return false;
    }
  }

  /** Looks at the Lease; false where there is none. */
  async #read(signal: AbortSignal): Promise<boolean> {
    const { leases, lease } = this.#options;
    try {
      this.#observe(await leases.get(lease, { signal }));
      return true;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#observed = undefined;
      this.#metadata = undefined;
      return false;
    }
  }

  #observe({ metadata, spec = {} }: Lease): void {
    const knownVersion = this.#observed?.resourceVersion;
    const foundVersion = metadata.resourceVersion;
    if (knownVersion === foundVersion) return;
    if (knownVersion !== undefined && isOlder(foundVersion, knownVersion)) {
      this.#options.rewinds.found({ resource: 'leases', knownVersion, foundVersion });
    }
    const since = this.#options.clock.monotonic();
    this.#metadata = metadata;
    this.#observed = { resourceVersion: foundVersion, spec, since };
  }

  async #claim(old: LeaseSpec | undefined, signal: AbortSignal): Promise<boolean> {
    const { identity, leaseDurationMs, clock } = this.#options;
    const sentAt = clock.monotonic();
    const spec = buildLeaseSpec(old, { identity, leaseDurationMs, now: microTime(clock.now()) });
    try {
      await this.#write(spec, signal);
    } catch (error) {
      if (isAlreadyExists(error)) return false;
      throw error;
    }
    this.#ledUntil = sentAt + leaseDurationMs;
    return true;
  }

  async #write(spec: LeaseSpec, signal: AbortSignal): Promise<void> {
    const { leases, lease, annotations: own } = this.#options;
    const head = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' as const, spec };
    const metadata = this.#metadata;
    const annotations = own && { annotations: { ...metadata?.annotations, ...own } };
    const written = metadata
      ? await leases.update({ ...head, metadata: { ...metadata, ...annotations } }, { signal })
      : await leases.create({ ...head, metadata: { ...lease, ...annotations } }, { signal });
    this.#observe(written);
  }
}
