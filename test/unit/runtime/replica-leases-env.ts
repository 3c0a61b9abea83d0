import type { ObjectMeta } from '../../../operator/api/meta.ts';
import { sleep } from '../../../operator/async/sleep.ts';
import { ApiError, type NewObject } from '../../../operator/ports/kube.ts';
import type { Lease } from '../../../operator/ports/lease.ts';
import { ReplicaLeases } from '../../../operator/runtime/replica-leases.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { type RecordedLog, recordedLog } from '../../support/quiet.ts';

const notFound = () => new ApiError('404', { status: 404, reason: 'NotFound' });
const conflict = (reason: string) => new ApiError('409', { status: 409, reason });

/** The Leases of an API server, in memory. */
export class LeaseServer {
  readonly leases = new Map<string, Lease>();
  writes = 0;
  #version = 0;

  create(object: NewObject<Lease>): Lease {
    if (this.leases.has(object.metadata.name)) throw conflict('AlreadyExists');
    return this.#store(object, `uid-${this.#version}`);
  }

  get(name: string): Lease {
    const found = this.leases.get(name);
    if (found === undefined) throw notFound();
    return found;
  }

  update(object: NewObject<Lease> & { metadata: { uid: string; resourceVersion: string } }): Lease {
    const { uid, resourceVersion } = this.get(object.metadata.name).metadata;
    if (uid !== object.metadata.uid || resourceVersion !== object.metadata.resourceVersion)
      throw conflict('Conflict');
    return this.#store(object, uid);
  }

  delete(name: string, { uid, resourceVersion }: { uid: string; resourceVersion: string }): void {
    const { metadata } = this.get(name);
    if (metadata.uid !== uid || metadata.resourceVersion !== resourceVersion) throw conflict('Conflict');
    this.leases.delete(name);
    this.writes += 1;
  }

  #store(object: NewObject<Lease>, uid: string): Lease {
    this.#version += 1;
    this.writes += 1;
    const metadata = { ...object.metadata, uid, resourceVersion: String(this.#version) } as ObjectMeta;
    const stored = { ...object, metadata } as Lease;
    this.leases.set(metadata.name, stored);
    return stored;
  }
}

/** A replica over that server. */
export interface TestReplica {
  readonly leases: ReplicaLeases;
  readonly name: string;
  /** What fails now: every call, or the lists alone; or RBAC forbids every call. */
  fault: 'none' | 'all' | 'lists' | 'forbidden';
  /** How long a call takes until the API server has it, in milliseconds; less than its deadline. */
  delayMs: number;
  isNeeded: boolean;
  isLeading: boolean;
  report: string;
  reports: readonly string[];
  readonly log: RecordedLog;
}

export const OWNER = { apiVersion: 'v1', kind: 'Pod', name: 'pod', uid: 'pod-uid' };

export const startReplica = (
  server: LeaseServer,
  clock: FakeClock,
  name: string,
  state: Partial<TestReplica> = {},
): TestReplica => {
  const log = recordedLog();
  const check = (isList = false): void => {
    const { fault } = replica;
    if (fault === 'forbidden') throw new ApiError('403', { status: 403, reason: 'Forbidden' });
    if (fault === 'all' || (fault === 'lists' && isList)) throw new ApiError('0', { status: 0 });
  };
  const call = async <T>(run: () => T): Promise<T> => {
    check();
    if (replica.delayMs > 0) await sleep(clock, replica.delayMs);
    return run();
  };
  const replica: TestReplica = {
    name,
    fault: 'none',
    delayMs: 0,
    isNeeded: true,
    isLeading: false,
    report: '',
    reports: [],
    log,
    leases: new ReplicaLeases({
      leases: {
        get: (ref) => call(() => server.get(ref.name)),
        create: (object) => call(() => server.create(object)),
        update: (object) => call(() => server.update(object as never)),
        delete: (ref, preconditions) => call(() => server.delete(ref.name, preconditions)),
      },
      listLeases: async () => {
        check(true);
        return [...server.leases.values()];
      },
      lease: { namespace: 'n', name },
      identity: name,
      isNeeded: () => replica.isNeeded,
      isLeading: () => replica.isLeading,
      report: () => replica.report,
      onReports: (reports) => {
        replica.reports = reports;
      },
      clock,
      owner: OWNER,
      log,
    }),
  };
  Object.assign(replica, state);
  replica.leases.start();
  return replica;
};
