import { type handleServerStreamingCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import type { StreamMethod } from './method.ts';
import { type GrpcCallDeps, openCall } from './open-call.ts';

type Stream = ServerWritableStream<Uint8Array, Buffer>;

/** Resolves when there is room again; a reader that never makes any is cut off elsewhere (door-call.ts). @throws where the caller is gone, since 'drain' never comes then */
const room = (stream: Stream, signal: AbortSignal): Promise<void> =>
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

/** Answers a method's calls with what it yields, no faster than the caller reads. */
export const answerStream =
  <Request, Response>(
    method: StreamMethod<Request, Response>,
    tools: GrpcCallDeps,
  ): handleServerStreamingCall<Uint8Array, Buffer> =>
  (stream) => {
    const open = openCall(stream, method, tools);
    const { signal } = open.context;
    const run = async (): Promise<void> => {
      try {
        for await (const messages of method.run(method.read(stream.request), open.context)) {
          for (const message of messages) {
            signal.throwIfAborted();
            if (!stream.write(method.write(message))) await room(stream, signal);
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
