import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import type { Clock } from '../../ports/clock.ts';
import type { ByteBudget } from '../listener/byte-budget.ts';
import type { Connection } from '../listener/connection.ts';
import type { LoadLimits } from '../listener/load-limits.ts';
import { MAX_REQUEST_BYTES } from './limits.ts';
import type { StreamGate } from './stream-gate.ts';
import { Blocks, MessageDecoder } from './wire.ts';

/** Time in which a request must arrive in full. */
const ARRIVAL_MS = 20_000;
/** Interval at which a client's progress is checked: one that read nothing since the last check is disconnected. */
const STALL_MS = 30_000;
/** Bytes written ahead of the network for one call; the size of a client's flow control window. */
const AHEAD_BYTES = 64 * 1024;
/** The same while the budget of bytes is more than half taken. */
const SCARCE_AHEAD_BYTES = 4 * 1024;

type PartialStatusObject = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];
type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** `stream` is a private member of grpc-js: a test fails if it is renamed. */
const streamOf = (call: ServerInterceptingCallInterface): ServerHttp2Stream | undefined =>
  (call as unknown as { readonly stream?: ServerHttp2Stream }).stream;

/** Tells a client whose call is answered to send no more of its request (RFC 9113 §8.1): otherwise the stream stays open for as long as the client likes. */
const stopRequest = (call: ServerInterceptingCallInterface): void =>
  streamOf(call)?.close(constants.NGHTTP2_NO_ERROR);

/** grpc-js ends a call only after everything written before, which never happens if the client does not read. */
const reset = (call: ServerInterceptingCallInterface): void =>
  streamOf(call)?.close(constants.NGHTTP2_CANCEL);

interface ServerCallParts {
  readonly clock: Clock;
  readonly bytes: ByteBudget;
  readonly connection: Connection;
  /** Whether the method needs credentials. */
  readonly isProof: boolean;
  /** The request has arrived in full, or nobody waits for it any more. */
  readonly onArrived: () => void;
}

const { OK } = status;

/**
 * A call that accepts the next message before the previous one is on the network, so that HTTP/2 puts many into one frame (a third
 * of the CPU time for a stream), and that waits neither for a request nor for a client's reads without a limit.
 */
class GrpcServerCall extends ServerInterceptingCall {
  readonly #next: ServerInterceptingCallInterface;
  readonly #parts: ServerCallParts;
  #cancelArrival = (): void => undefined;
  #cancelStall = (): void => undefined;
  /** Bytes written that the network has not taken yet. */
  #ahead = 0;
  #taken = 0;
  #watching = false;
  #hasArrived = false;
  #isOver = false;
  #held: (() => void) | undefined;

  constructor(next: ServerInterceptingCallInterface, parts: ServerCallParts) {
    super(next);
    this.#next = next;
    this.#parts = parts;
  }

  override start(listener: Listener): void {
    this.#cancelArrival = this.#parts.clock.after(ARRIVAL_MS, () => this.#tooLate());
    this.#next.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => {
        this.#hasArrived = true;
        this.#cancelArrival();
        this.#parts.onArrived();
        listener.onReceiveHalfClose();
      },
      onCancel: () => {
        this.#cancelArrival();
        this.#parts.onArrived();
        this.#cancelStall();
        this.#takeBytes(-this.#ahead);
        this.#isOver = true;
        listener.onCancel();
      },
    });
  }

  override sendMessage(message: Uint8Array, callback: () => void): void {
    if (this.#isOver) return;
    const bytes = message.byteLength;
    this.#ahead += bytes;
    this.#takeBytes(bytes);
    this.#next.sendMessage(message, () => this.#onTaken(bytes));
    if (!this.#watching) this.#watchReader();
    if (this.#ahead < this.#mayBeAhead()) callback();
    else this.#held = callback;
  }

  override sendStatus(status: PartialStatusObject): void {
    if (status.code === OK && this.#parts.isProof) this.#parts.connection.prove();
    super.sendStatus(status);
    if (!this.#hasArrived) stopRequest(this.#next);
  }

  #takeBytes(bytes: number): void {
    this.#parts.bytes.take(this.#parts.connection, bytes);
  }

  /** Less where many clients leave much unread. */
  #mayBeAhead(): number {
    return this.#parts.bytes.isScarce ? SCARCE_AHEAD_BYTES : AHEAD_BYTES;
  }

  #onTaken(bytes: number): void {
    if (this.#isOver) return;
    this.#ahead -= bytes;
    this.#takeBytes(-bytes);
    this.#taken += 1;
    const held = this.#held;
    if (!held || this.#ahead >= this.#mayBeAhead() / 2) return;
    this.#held = undefined;
    held();
  }

  /** Runs one timer for as long as data waits, whatever the number of messages. */
  #watchReader(): void {
    const before = this.#taken;
    this.#watching = true;
    this.#cancelStall = this.#parts.clock.after(STALL_MS, () => {
      this.#watching = false;
      if (this.#ahead === 0) return;
      if (this.#taken === before) reset(this.#next);
      else this.#watchReader();
    });
  }

  #tooLate(): void {
    this.sendStatus({ code: status.DEADLINE_EXCEEDED, details: 'the request did not arrive in time' });
  }
}

/** The service whose methods need credentials. */
const SERVICE_PATH = '/m2moauthserver.pb.M2MOAuthService/';

export interface ServerCallsOptions {
  readonly clock: Clock;
  readonly load: Pick<LoadLimits, 'bytes' | 'unfinishedRequests'>;
  readonly gate: Pick<StreamGate, 'connectionOf' | 'onRejected'>;
}

/** Messages that a block of 64 KiB may have on a stream of requests. */
const MAX_MESSAGES_AT_ONCE = 256;
/** Where there is a single request: a client that sends a second one gets grpc-js's error. */
const MAX_SINGLE_AT_ONCE = 2;

const COMPRESSED = {
  code: status.UNIMPLEMENTED,
  details: 'compressed messages are not supported: send messages without compression',
};

interface CountOptions extends Pick<ServerCallsOptions, 'load' | 'gate'> {
  readonly blocks: Blocks;
}

/**
 * Counts what a request keeps that has not arrived in full: its pieces, and, where there is a single request, the whole message too,
 * which grpc-js keeps until the client ends its side of the stream. Returns what to call then. `decoder` is a private member of grpc-js.
 */
const countRequest = (
  call: ServerInterceptingCallInterface,
  { connection, isSingle }: { readonly connection: Connection; readonly isSingle: boolean },
  { load: { bytes, unfinishedRequests }, gate, blocks }: CountOptions,
): (() => void) => {
  let release: (() => void) | undefined;
  let isWatched = false;
  let whole = 0;
  const stop = (): void => {
    const stream = streamOf(call);
    if (stream) gate.onRejected(stream);
    stopRequest(call);
  };
  const reject = (message: string): never => {
    setImmediate(stop);
    throw new Error(message);
  };
  const take = (count: number): void => {
    if (bytes.take(connection, count) || count < 0) return;
    bytes.take(connection, -count);
    reject('too many bytes of requests are unfinished');
  };
  const end = (): void => {
    decoder.release();
    // The last piece may have been rejected, so that the decoder keeps nothing.
    release = void release?.();
  };
  const begin = (): void => {
    release = unfinishedRequests.take(connection);
    if (!release) reject('too many requests are unfinished');
    if (!isWatched) streamOf(call)?.once('close', end);
    isWatched = true;
  };
  const decoder = new MessageDecoder(
    {
      maxBytes: MAX_REQUEST_BYTES,
      maxAtOnce: isSingle ? MAX_SINGLE_AT_ONCE : MAX_MESSAGES_AT_ONCE,
      onKept: (kept) => {
        if (kept > 0 && !release) begin();
        take(kept);
        if (kept < 0) release = void release?.();
      },
      onComplete: (size) => {
        if (!isSingle) return;
        take(size);
        whole += size;
      },
      onProblem: (problem) => {
        // What grpc-js would answer to the error counts no more then.
        if (problem === 'compressed') call.sendStatus(COMPRESSED);
        setImmediate(stop);
      },
    },
    blocks,
  );
  Object.assign(call, { decoder });
  return () => {
    if (whole > 0) bytes.take(connection, -whole);
    whole = 0;
  };
};

/** Makes each call with a single request a {@link GrpcServerCall}; its responses must be bytes. */
export const serverCalls = (options: ServerCallsOptions): ServerInterceptor => {
  const { clock, load, gate } = options;
  const blocks = new Blocks();
  return ({ path, requestStream }, call) => {
    const stream = streamOf(call);
    const connection = stream && gate.connectionOf(stream);
    // Its session has ended already.
    if (!connection) return new ServerInterceptingCall(call);
    const onArrived = countRequest(call, { connection, isSingle: !requestStream }, { load, gate, blocks });
    if (requestStream) return new ServerInterceptingCall(call);
    const isProof = path.startsWith(SERVICE_PATH);
    return new GrpcServerCall(call, { clock, bytes: load.bytes, connection, isProof, onArrived });
  };
};
