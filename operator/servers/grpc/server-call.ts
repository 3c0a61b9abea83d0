import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import type { Clock } from '../../ports/clock.ts';
import type { Connection } from '../listener/connection.ts';
import type { StreamGate } from './stream-gate.ts';

/** Time in which a request must arrive in full. */
const ARRIVAL_MS = 20_000;
/** Interval at which a client's progress is checked: one that read nothing since the last check is disconnected. */
const STALL_MS = 30_000;
/** Bytes written ahead of the network for one call; the size of a client's flow control window. */
const AHEAD_BYTES = 64 * 1024;

type PartialStatusObject = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];
type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** `stream` is a private member of grpc-js: a test fails if it is renamed. */
const streamOf = (call: ServerInterceptingCallInterface): ServerHttp2Stream | undefined =>
  (call as unknown as { readonly stream?: ServerHttp2Stream }).stream;

/** grpc-js ends a call only after everything written before, which never happens if the client does not read. */
const reset = (call: ServerInterceptingCallInterface): void =>
  streamOf(call)?.close(constants.NGHTTP2_CANCEL);

interface ServerCallParts {
  readonly clock: Clock;
  /** Undefined for a method that everyone may call. */
  readonly connection: Connection | undefined;
}

const { OK } = status;

/**
 * A call that accepts the next message before the previous one is on the network, so that HTTP/2 puts many into one frame (a third
 * of the CPU time for a stream), and that waits neither for a request nor for a client's reads without a limit.
 */
class GrpcServerCall extends ServerInterceptingCall {
  readonly #next: ServerInterceptingCallInterface;
  readonly #clock: Clock;
  /** Of a method that needs credentials. */
  readonly #connection: Connection | undefined;
  #cancelArrival = (): void => undefined;
  #cancelStall = (): void => undefined;
  /** Bytes written that the network has not taken yet. */
  #ahead = 0;
  #taken = 0;
  #watching = false;
  #held: (() => void) | undefined;

  constructor(next: ServerInterceptingCallInterface, { clock, connection }: ServerCallParts) {
    super(next);
    this.#next = next;
    this.#clock = clock;
    this.#connection = connection;
  }

  override start(listener: Listener): void {
    this.#cancelArrival = this.#clock.after(ARRIVAL_MS, () => this.#tooLate());
    this.#next.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => {
        this.#cancelArrival();
        listener.onReceiveHalfClose();
      },
      onCancel: () => {
        this.#cancelArrival();
        this.#cancelStall();
        listener.onCancel();
      },
    });
  }

  override sendMessage(message: Uint8Array, callback: () => void): void {
    const bytes = message.byteLength;
    this.#ahead += bytes;
    this.#next.sendMessage(message, () => this.#onTaken(bytes));
    if (!this.#watching) this.#watchReader();
    if (this.#ahead < AHEAD_BYTES) callback();
    else this.#held = callback;
  }

  override sendStatus(status: PartialStatusObject): void {
    if (status.code === OK) this.#connection?.prove();
    super.sendStatus(status);
  }

  #onTaken(bytes: number): void {
    this.#ahead -= bytes;
    this.#taken += 1;
    const held = this.#held;
    if (!held || this.#ahead >= AHEAD_BYTES / 2) return;
    this.#held = undefined;
    held();
  }

  /** Runs one timer for as long as data waits, whatever the number of messages. */
  #watchReader(): void {
    const before = this.#taken;
    this.#watching = true;
    this.#cancelStall = this.#clock.after(STALL_MS, () => {
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
  readonly gate: Pick<StreamGate, 'connectionOf'>;
}

/** Makes each call with a single request a {@link GrpcServerCall}; its responses must be bytes. */
export const serverCalls =
  ({ clock, gate }: ServerCallsOptions): ServerInterceptor =>
  ({ path, requestStream }, call) => {
    if (requestStream) return new ServerInterceptingCall(call);
    const stream = path.startsWith(SERVICE_PATH) ? streamOf(call) : undefined;
    return new GrpcServerCall(call, { clock, connection: stream && gate.connectionOf(stream) });
  };
