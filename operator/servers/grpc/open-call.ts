import { type Metadata, status } from '@grpc/grpc-js';
import { IssuerFailure, whyOf } from '../../issuer/failure.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Log, LogFields } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { addressOf } from './caller.ts';
import type { MethodCall } from './method.ts';
import { abandonedStatus, type FailedStatus, StatusFailure, statusOf } from './status.ts';

/** What the calls of a door share. */
export interface GrpcCallDeps {
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'grpcCall'>;
}

/** What all kinds of calls of grpc-js have in common. */
export interface WireCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getPeer(): string;
  getDeadline(): Date | number;
  once(event: 'cancelled', listener: () => void): unknown;
  off(event: 'cancelled', listener: () => void): unknown;
}

/** A call from its start to its line in the log. */
export interface OpenCall {
  readonly context: MethodCall;
  /** The status for what was thrown; that of the abandoned call where the caller is gone or out of time. */
  failureOf(error: unknown): FailedStatus;
  /** Counts the call and writes its line; nothing but the first ending counts. */
  ended(code: status, error?: unknown): void;
}

interface Described {
  readonly name: string;
  readonly purpose: string;
  readonly successLevel: 'info' | 'debug';
}

const authorizationOf = (call: WireCall): string | undefined => {
  const values = call.metadata.get('authorization');
  if (values.length > 1) throw new IssuerFailure('BearerInvalid', 'more than one bearer is given');
  return values[0]?.toString();
};

/** For the log alone: what a status does not say. */
const reasonOf = (error: unknown): LogFields =>
  error instanceof StatusFailure ? { why: error.message } : whyOf(error);

const levelOf = (code: status, successLevel: 'info' | 'debug'): 'debug' | 'info' | 'warn' | 'error' => {
  switch (code) {
    case status.OK:
      return successLevel;
    case status.INTERNAL:
      return 'error';
    case status.UNAVAILABLE:
    case status.RESOURCE_EXHAUSTED:
      return 'warn';
    default:
      return 'info';
  }
};

/** Begins to watch a call: its signal aborts when the caller is gone or its deadline has passed. */
export const openCall = (call: WireCall, method: Described, tools: GrpcCallDeps): OpenCall => {
  const startedAt = tools.clock.monotonic();
  const gone = new AbortController();
  const onCancelled = (): void => gone.abort();
  // grpc-js says 'cancelled' after every call that has ended, too.
  if (call.cancelled) onCancelled();
  else call.once('cancelled', onCancelled);
  const address = addressOf(call.getPeer());
  let notes: LogFields = {};
  let open = true;
  return {
    context: {
      address,
      signal: gone.signal,
      authorization: () => authorizationOf(call),
      note: (fields) => {
        notes = { ...notes, ...fields };
      },
    },
    failureOf: (error) =>
      gone.signal.aborted
        ? abandonedStatus(Number(call.getDeadline()) <= tools.clock.now())
        : statusOf(method.purpose, error),
    ended: (code, error) => {
      if (!open) return;
      open = false;
      call.off('cancelled', onCancelled);
      const ms = tools.clock.monotonic() - startedAt;
      tools.metrics.grpcCall(method.name, status[code], ms / 1000);
      tools.log[levelOf(code, method.successLevel)]('gRPC call', {
        method: method.name,
        code: status[code],
        ms: Math.round(ms * 10) / 10,
        address,
        ...notes,
        ...(error !== undefined && !gone.signal.aborted && reasonOf(error)),
      });
    },
  };
};
