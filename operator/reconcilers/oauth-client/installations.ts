import type { SigningKey } from '../../api/signing-key.ts';
import { withDeadline } from '../../async/abort.ts';
import { Emitter } from '../../async/emitter.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { IssuerUrls } from '../../domain/client/client-rules.ts';
import {
  findInstallationConflict,
  type InstallationAge,
  installationOf,
  type OtherInstallation,
} from '../../domain/client/installation.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import { isForbidden } from '../../ports/kube.ts';
import type { Lease } from '../../ports/lease.ts';
import type { Log } from '../../ports/log.ts';

export interface InstallationsOptions {
  /** The operator's own namespace. */
  readonly namespace: string;
  readonly urls: IssuerUrls;
  /** The Leases of leader elections in all namespaces. @throws ApiError */
  readonly listLeases: (signal: AbortSignal) => Promise<readonly Lease[]>;
  /** The SigningKeys in all namespaces; asked only if there is another Lease. @throws ApiError */
  readonly listSigningKeys: (signal: AbortSignal) => Promise<readonly SigningKey[]>;
  /** Called, once, with the reason for which this installation has to end. */
  readonly onConflict: (why: string) => void;
  readonly isLeading: () => boolean;
  readonly clock: MonotonicClock;
  readonly log: Log;
}

const READ_EVERY_MS = 60_000;
const DEADLINE_MS = 5000;
const describe = (others: readonly OtherInstallation[]): string =>
  others
    .map(({ namespace, url = '', watchNamespaces }) => [namespace, url, ...watchNamespaces].join(' '))
    .sort()
    .join();

/** The kids in each namespace that has any. */
const kidsByNamespace = (signingKeys: readonly SigningKey[]): Map<string, Set<string>> => {
  const found = new Map<string, Set<string>>();
  for (const { metadata, status } of signingKeys) {
    for (const { kid } of status?.keys ?? []) {
      const kids = found.get(metadata.namespace) ?? new Set();
      found.set(metadata.namespace, kids.add(kid));
    }
  }
  return found;
};

/**
 * The installations of the operator that run beside this one (docs/decisions/0022), by the Leases of their leader elections. A Lease
 * alone proves nothing, since tenants may create one: its namespace has a SigningKey with keys, which only an operator writes. Without
 * the permission to list them there are none.
 */
export class Installations {
  readonly #options: InstallationsOptions;
  readonly #changes: Emitter<void>;
  readonly #reads = new SingleFlight<number, readonly OtherInstallation[]>();
  #others: readonly OtherInstallation[] | undefined;
  /** Counts the times at which what was read before has become old, and the one that the last read was begun after. */
  #age = 0;
  #readAt = -1;
  #isForbidden = false;
  #hasEnded = false;
  #hasWarned = false;
  #cancelTimer = (): void => undefined;

  constructor(options: InstallationsOptions) {
    this.#options = options;
    this.#changes = new Emitter((error) => options.log.error('a handler of installations threw', { error }));
  }

  /** Reads them now, and every minute while this replica leads. */
  start(): void {
    this.#readAgain();
  }

  stop(): void {
    this.#cancelTimer();
  }

  /** As last read; undefined before that. */
  get known(): readonly OtherInstallation[] | undefined {
    return this.#others;
  }

  /** Reads them again, without waiting for it: this replica has just announced itself, and others may have done so. */
  refresh(): void {
    this.#age += 1;
    void this.others().catch((error: unknown) =>
      this.#options.log.warn('the other installations could not be read; trying again', { error }),
    );
  }

  /** Read at most a minute ago. @throws ApiError if they can't be read */
  async others(): Promise<readonly OtherInstallation[]> {
    const age = this.#age;
    return this.#readAt === age && this.#others ? this.#others : this.#reads.run(age, () => this.#read(age));
  }

  /** Called when one has come or gone. */
  onChange(handler: () => void): () => void {
    return this.#changes.on(handler);
  }

  #readAgain(): void {
    const { clock, isLeading } = this.#options;
    this.#cancelTimer = clock.after(READ_EVERY_MS, () => this.#readAgain());
    if (!this.#others || isLeading()) this.refresh();
  }

  async #read(age: number): Promise<readonly OtherInstallation[]> {
    const { clock } = this.#options;
    const others = await withDeadline({ clock, ms: DEADLINE_MS }, (signal) => this.#find(signal)).catch(
      (error: unknown) => this.#withoutPermission(error),
    );
    // A later read may have ended before.
    if (age < this.#readAt) return this.#others ?? others;
    const before = describe(this.#others ?? []);
    this.#others = others;
    this.#readAt = age;
    if (describe(others) !== before) this.#onOthers(others);
    return others;
  }

  #onOthers(others: readonly OtherInstallation[]): void {
    this.#options.log.info('other installations watch this cluster', {
      installations: others.map(({ namespace, url }) => ({ namespace, issuer: url })),
    });
    this.#changes.emit();
  }

  #withoutPermission(error: unknown): readonly OtherInstallation[] {
    if (!isForbidden(error)) throw error;
    if (!this.#isForbidden) {
      this.#options.log.info(
        'other installations are not visible, and OAuthClients without an issuer are taken as if there were none: the operator may not list leases or signingkeys of all namespaces (rbac.installations of the chart)',
      );
    }
    this.#isForbidden = true;
    return [];
  }

  async #find(signal: AbortSignal): Promise<readonly OtherInstallation[]> {
    const { namespace, clock, listLeases, listSigningKeys } = this.#options;
    const leases = await listLeases(signal);
    const own = leases.find(({ metadata }) => metadata.namespace === namespace);
    const live = leases
      .filter((lease) => lease !== own)
      .flatMap((lease) => installationOf(lease, clock.now()) ?? []);
    const kids = kidsByNamespace(live.length === 0 ? [] : await listSigningKeys(signal));
    const others = live.flatMap((other) => {
      const known = kids.get(other.namespace);
      return known ? [{ ...other, kids: known }] : [];
    });
    this.#check(own && { namespace, since: own.metadata.creationTimestamp }, others);
    return others;
  }

  #check(own: InstallationAge | undefined, others: readonly OtherInstallation[]): void {
    const { urls, onConflict, log } = this.#options;
    const conflict = findInstallationConflict(urls, own, others);
    if (conflict === undefined || this.#hasEnded) return;
    const { why, mustEnd } = conflict;
    if (mustEnd) {
      this.#hasEnded = true;
      onConflict(why);
    } else if (!this.#hasWarned) {
      this.#hasWarned = true;
      log.error('another installation must not run beside this one, which is older and goes on', { why });
    }
  }
}
