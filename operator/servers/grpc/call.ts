import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import type { FairTurns } from '../../async/fair-turns.ts';
import type { Awaitable } from '../../async/map-awaitable.ts';
import { plainAddress, unauthenticatedKey } from '../../domain/caller-address.ts';
import { IssuerFailure, whyOf } from '../../issuer/failure.ts';
import type { Call } from '../../issuer/use-cases.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Log, LogFields } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { abandonedStatus, type FailedStatus, StatusFailure, statusOf } from './status.ts';

/** What every gRPC call needs: turns, times, the access log and the request metrics. */
export interface GrpcCallDeps {
  /** In which large requests are decoded. */
  readonly turns: Pick<FairTurns, 'run'>;
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'grpcCall'>;
}

/** A call as a method's implementation sees it. */
interface MethodCall extends Call {
  /** The value of the `authorization` metadata; undefined if there is none. @throws IssuerFailure `BearerInvalid` if there are several */
  authorization(): string | undefined;
  /** Adds fields to the access log line of this call. */
  note(fields: LogFields): void;
}

/** How a method appears in metrics, errors and the access log. */
interface MethodDescription {
  /** The name in the proto; the label of metrics. */
  readonly name: string;
  /** What the method does, for error messages: "cannot {purpose}: …". */
  readonly purpose: string;
  /** Log level of a successful call. */
  readonly successLevel: 'info' | 'debug';
}

interface MethodCodec<Request, Response> extends MethodDescription {
  /** Decodes a request. @throws IssuerFailure `Malformed` */
  readonly read: (bytes: Uint8Array) => Request;
  readonly write: (response: Response) => Buffer;
}

/** A method with one response. */
export interface UnaryMethod<Request, Response> extends MethodCodec<Request, Response> {
  readonly run: (request: Request, call: MethodCall) => Promise<Response>;
}

/** A method that streams its responses, in chunks that are produced as the client reads. */
export interface StreamMethod<Request, Response> extends MethodCodec<Request, Response> {
  readonly run: (request: Request, call: MethodCall) => AsyncIterable<Iterable<Response>>;
}

/** What all kinds of grpc-js calls have in common. */
interface ServerCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getPeer(): string;
  getDeadline(): Date | number;
  once(event: 'cancelled', listener: () => void): unknown;
  off(event: 'cancelled', listener: () => void): unknown;
}

/** A call in progress, from its start to its access log line. */
interface OpenCall {
  readonly context: MethodCall;
  /** The status for an error: that of a cancelled or timed-out call once its signal has aborted, else that of the error. */
  failureOf(error: unknown): FailedStatus;
  /** Counts the call and writes its access log line. Only the first call of it has an effect. */
  ended(code: status, error?: unknown): void;
}

/**
 * The IP address in a peer name of grpc-js: `address:port`, with IPv6 addresses without brackets (or with them, as other
 * versions and the gRPC naming specification write them).
 */
export const addressOf = (peer: string): string => {
  const bracketed = /^\[([^\]]*)\]/u.exec(peer)?.[1];
  return plainAddress(bracketed ?? peer.replace(/:\d+$/u, ''));
};

const authorizationOf = ({ metadata }: ServerCall): string | undefined => {
  const values = metadata.get('authorization');
  if (values.length > 1) throw new IssuerFailure('BearerInvalid', 'more than one bearer is given');
  return values[0]?.toString();
};

/** Log fields that the status of a call does not carry. */
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

/**
 * A client's deadline starts when it sends the request, the server's when the request arrives (gRPC over HTTP/2,
 * Timeout), so the client's reset at its deadline arrives before the server's deadline. A cancellation within this time
 * before the deadline counts as the deadline, in milliseconds.
 */
const DEADLINE_TOLERANCE_MS = 100;

/** Starts tracking a call. Its signal aborts when the client cancels the call or disconnects, or the deadline passes. */
export const openCall = (
  call: ServerCall,
  { name, purpose, successLevel }: MethodDescription,
  { clock, log, metrics }: Omit<GrpcCallDeps, 'turns'>,
): OpenCall => {
  const startedAt = clock.monotonic();
  const cancelled = new AbortController();
  let isTimedOut = false;
  const onCancelled = (): void => {
    isTimedOut = Number(call.getDeadline()) - clock.now() <= DEADLINE_TOLERANCE_MS;
    cancelled.abort();
  };
  // grpc-js emits 'cancelled' after every call that has ended, too.
  if (call.cancelled) onCancelled();
  else call.once('cancelled', onCancelled);
  const address = addressOf(call.getPeer());
  let notes: LogFields = {};
  let isOpen = true;
  return {
    context: {
      address,
      signal: cancelled.signal,
      authorization: () => authorizationOf(call),
      note: (fields) => {
        notes = { ...notes, ...fields };
      },
    },
    failureOf: (error) => (cancelled.signal.aborted ? abandonedStatus(isTimedOut) : statusOf(purpose, error)),
    ended: (code, error) => {
      if (!isOpen) return;
      isOpen = false;
      call.off('cancelled', onCancelled);
      const ms = clock.monotonic() - startedAt;
      metrics.grpcCall(name, status[code], ms / 1000);
      log[levelOf(code, successLevel)]('gRPC call', {
        method: name,
        code: status[code],
        ms: Math.round(ms * 10) / 10,
        address,
        ...notes,
        ...(error !== undefined && !cancelled.signal.aborted && reasonOf(error)),
      });
    },
  };
};

/** Decoding a request of this size takes less time than a turn. */
const SMALL_BYTES = 1024;

/**
 * Decodes a request; a large one, which may have tens of thousands of fields, when its caller has its turn. Many that arrive together would
 * otherwise be decoded in one turn of the event loop. @throws IssuerFailure `Malformed`, or `Exhausted` if too many wait
 */
const readInTurn = <Request>(
  { read }: Pick<MethodCodec<Request, unknown>, 'read'>,
  { bytes, caller }: { readonly bytes: Uint8Array; readonly caller: Pick<Call, 'address'> },
  { turns }: Pick<GrpcCallDeps, 'turns'>,
): Awaitable<Request> =>
  bytes.byteLength <= SMALL_BYTES
    ? read(bytes)
    : turns.run(
        () => unauthenticatedKey(caller),
        () => read(bytes),
      );

/** The handler of a unary method: decodes the request, runs the method, sends its response or the status of its failure. */
export const answerUnary =
  <Request, Response>(
    method: UnaryMethod<Request, Response>,
    deps: GrpcCallDeps,
  ): handleUnaryCall<Uint8Array, Buffer> =>
  (call, respond) => {
    const open = openCall(call, method, deps);
    const run = async (): Promise<void> => {
      try {
        const request = readInTurn(method, { bytes: call.request, caller: open.context }, deps);
        const response = await method.run(request instanceof Promise ? await request : request, open.context);
        open.context.signal.throwIfAborted();
        respond(null, method.write(response));
        open.ended(status.OK);
      } catch (error) {
        const failed = open.failureOf(error);
        respond(failed);
        open.ended(failed.code, error);
      }
    };
    void run();
  };

/**
 * Resolves when the stream accepts more data; server-call.ts resets the call of a client that never reads.
 * @throws the signal's reason when the call is cancelled: 'drain' is not emitted then
 */
const drained = (stream: ServerWritableStream<Uint8Array, Buffer>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onDrain = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      stream.off('drain', onDrain);
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    stream.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
  });

/** The handler of a streaming method: sends what the method yields, no faster than the client reads. */
export const answerStream =
  <Request, Response>(
    method: StreamMethod<Request, Response>,
    deps: GrpcCallDeps,
  ): handleServerStreamingCall<Uint8Array, Buffer> =>
  (stream) => {
    const open = openCall(stream, method, deps);
    const { signal } = open.context;
    const run = async (): Promise<void> => {
      try {
        const read = readInTurn(method, { bytes: stream.request, caller: open.context }, deps);
        const request = read instanceof Promise ? await read : read;
        for await (const messages of method.run(request, open.context)) {
          for (const message of messages) {
            signal.throwIfAborted();
            if (!stream.write(method.write(message))) await drained(stream, signal);
          }
        }
        signal.throwIfAborted();
        stream.end();
        open.ended(status.OK);
      } catch (error) {
        const failed = open.failureOf(error);
        stream.emit('error', failed);
        open.ended(failed.code, error);
      }
    };
    void run();
  };
