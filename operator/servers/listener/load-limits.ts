import { KeyedLimit } from '../../async/keyed-limit.ts';
import { createGroupOf, type GroupOf } from '../../domain/caller-address.ts';
import type { LimitName, ServerName } from '../../ports/metrics.ts';
import { ConnectionTable } from './connection-table.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import { createLimitReports, type LimitReportsOptions, type ReportLimit } from './limit-reports.ts';

/** What one address may have at once (spec §6, `limits.perAddress`). */
export interface PerAddressLimits {
  readonly connections: number;
  readonly connectionsPerSecond: number;
  readonly streams: number;
  readonly healthWatches: number;
}

export interface LoadLimitsOptions extends LimitReportsOptions {
  /** Connections at once, of all servers together. */
  readonly connections: number;
  readonly perAddress: PerAddressLimits;
  /** Their addresses have no limits of their own: many callers stand behind each. */
  readonly trustedProxies: readonly string[];
}

/** Takes one of a limited number for a caller. Returns a function that gives it back, or undefined where there is none left. */
export type TakeFor = (address: string) => (() => void) | undefined;

/** The limits that the servers of a process share. */
export interface LoadLimits {
  readonly report: ReportLimit;
  readonly connections: ConnectionTable;
  readonly handshakes: HandshakeQueue;
  /** HTTP/2 streams, whatever runs on them. */
  readonly streams: TakeFor;
  /** Open streams of Health/Watch. */
  readonly watches: TakeFor;
  /** Open streams of server reflection. */
  readonly reflections: TakeFor;
}

/** A stream takes some 20 KB. */
const MAX_STREAMS = 4096;
/** Twice what one address may have by default. */
const MAX_WATCHES = 2048;
/** Reflection is for people and their tools. */
const REFLECTIONS = { total: 128, perKey: 32 };

/** Makes the {@link TakeFor} of one limit of a server. */
const takerOf = (
  limit: KeyedLimit,
  { groupOf, onRefused }: { readonly groupOf: GroupOf; readonly onRefused: () => void },
): TakeFor => {
  return (address) => {
    const group = groupOf(address);
    if (limit.take(group) !== undefined) {
      onRefused();
      return undefined;
    }
    let isTaken = true;
    return () => {
      if (isTaken) limit.release(group);
      isTaken = false;
    };
  };
};

/** Makes {@link LoadLimits}, for all servers of a process. */
export const createLoadLimits = (options: LoadLimitsOptions): LoadLimits => {
  const { connections, perAddress, trustedProxies, clock } = options;
  const groupOf = createGroupOf(trustedProxies);
  const report = createLimitReports(options);
  const refusing = (server: ServerName, limit: LimitName) => ({
    groupOf,
    onRefused: () => report(server, limit, 'refused'),
  });
  const watches = new KeyedLimit({ total: MAX_WATCHES, perKey: perAddress.healthWatches });
  const streams = new KeyedLimit({ total: MAX_STREAMS, perKey: perAddress.streams });
  return {
    report,
    connections: new ConnectionTable({
      total: connections,
      perAddress: perAddress.connections,
      perSecond: perAddress.connectionsPerSecond,
      groupOf,
      clock,
      report,
    }),
    handshakes: new HandshakeQueue(clock),
    streams: takerOf(streams, refusing('grpc', 'streams')),
    watches: takerOf(watches, refusing('grpc', 'healthWatches')),
    reflections: takerOf(new KeyedLimit(REFLECTIONS), refusing('grpc', 'reflections')),
  };
};
