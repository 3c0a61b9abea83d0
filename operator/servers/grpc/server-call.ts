import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import type { Clock } from '../../ports/clock.ts';

/** Time in which a request must arrive in full. */
const ARRIVAL_MS = 20_000;
/** Interval at which a client's progress is checked: one that read nothing since the last check is disconnected. */
const STALL_MS = 30_000;
/** Bytes written ahead of the network for one call; the size of a client's flow control window. */
const AHEAD_BYTES = 64 * 1024;

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** grpc-js ends a call only after everything written before, which never happens if the client does not read. `stream` is a private member: a test fails if grpc-js renames it. */
const reset = (call: ServerInterceptingCallInterface): void => {
  const { stream } = call as unknown as { readonly stream?: ServerHttp2Stream };
  stream?.close(constants.NGHTTP2_CANCEL);
};

/**
 * A call that accepts the next message before the previous one is on the network, so that HTTP/2 puts many into one frame (a third
 * of the CPU time for a stream), and that waits neither for a request nor for a client's reads without a limit.
 */
class GrpcServerCall extends ServerInterceptingCall {
  readonly #next: ServerInterceptingCallInterface;
  readonly #clock: Clock;
  #cancelArrival = (): void => undefined;
  #cancelStall = (): void => undefined;
  /** Bytes written that the network has not taken yet. */
  #ahead = 0;
  #taken = 0;
  #watching = false;
  #held: (() => void) | undefined;

  constructor(next: ServerInterceptingCallInterface, clock: Clock) {
    super(next);
    this.#next = next;
    this.#clock = clock;
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

/** Makes each call with a single request a {@link GrpcServerCall}; its responses must be bytes. */
export const serverCalls =
  (clock: Clock): ServerInterceptor =>
  (method, call) =>
    method.requestStream ? new ServerInterceptingCall(call) : new GrpcServerCall(call, clock);
