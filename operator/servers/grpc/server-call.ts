import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import type { Clock } from '../../ports/clock.ts';

/** Time for a request to arrive in full. */
const ARRIVAL_MS = 20_000;
/** How often a reader is looked at: one that has taken nothing since the last time is given up. */
const STALL_MS = 30_000;
/** Written ahead of the network for one call; the reader's own flow control window is as large. */
const AHEAD_BYTES = 64 * 1024;

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** grpc-js can end a call only behind all that was written, which is never where nobody reads. A test notices when it calls this member otherwise. */
const reset = (call: ServerInterceptingCallInterface): void => {
  const { stream } = call as unknown as { readonly stream?: ServerHttp2Stream };
  stream?.close(constants.NGHTTP2_CANCEL);
};

/**
 * A call that does not wait for each message to be on the network before it takes the next (so that HTTP/2 puts many
 * into one frame: a third of the CPU time for a stream), and that neither waits for a request for ever nor for a reader.
 */
class GrpcServerCall extends ServerInterceptingCall {
  readonly #next: ServerInterceptingCallInterface;
  readonly #clock: Clock;
  #cancelArrival = (): void => undefined;
  #cancelStall = (): void => undefined;
  /** Bytes that are written and not taken. */
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

  /** One timer for as long as something waits, however many messages pass. */
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

/** Makes each call with one request a {@link GrpcServerCall}; its responses have to be bytes. */
export const serverCalls =
  (clock: Clock): ServerInterceptor =>
  (method, call) =>
    method.requestStream ? new ServerInterceptingCall(call) : new GrpcServerCall(call, clock);
