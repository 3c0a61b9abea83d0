import { type handleServerStreamingCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import { IssuerFailure } from '../issuer/failure.ts';
import type { StreamMethod } from './method.ts';
import { type DoorTools, openCall } from './open-call.ts';

/** How long a reader may leave a full stream alone. */
const STALL_MS = 60_000;

type Stream = ServerWritableStream<Uint8Array, unknown>;

/** Resolves when there is room again. 'drain' never comes where the caller is gone, or reads no more. @throws where it is gone or late */
const room = (stream: Stream, signal: AbortSignal, { clock }: DoorTools): Promise<void> =>
  new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      stream.off('drain', onDrain);
      signal.removeEventListener('abort', onAbort);
      cancelTimer();
      then();
    };
    const onDrain = (): void => settle(resolve);
    const onAbort = (): void => settle(() => reject(signal.reason));
    const cancelTimer = clock.after(STALL_MS, () =>
      settle(() => reject(new IssuerFailure('Exhausted', 'the stream was not read for too long'))),
    );
    stream.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });

/** Answers a method's calls with what it yields, no faster than the caller reads. */
export const answerStream =
  <Request, Response>(
    method: StreamMethod<Request, Response>,
    tools: DoorTools,
  ): handleServerStreamingCall<Uint8Array, Response> =>
  (stream) => {
    const open = openCall(stream, method, tools);
    const { signal } = open.context;
    const run = async (): Promise<void> => {
      try {
        for await (const messages of method.run(method.read(stream.request), open.context)) {
          for (const message of messages) {
            signal.throwIfAborted();
            if (!stream.write(message)) await room(stream, signal, tools);
          }
        }
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
