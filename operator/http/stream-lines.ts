import type { FastifyReply } from 'fastify';
import type { HttpCall } from './http-call.ts';
import { STALL_MS } from './limits.ts';

/** What is streamed, a piece at a time as it is asked for. */
export interface Lines<T> {
  readonly type: string;
  readonly chunks: AsyncIterable<T>;
  readonly lines: (chunk: T) => string;
  readonly call: HttpCall;
}

/** Resolves when there is room again. @throws the signal's reason where the caller is gone */
const room = (reply: FastifyReply, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onDrain = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      reply.raw.off('drain', onDrain);
      reject(signal.reason);
    };
    if (signal.aborted) return onAbort();
    reply.raw.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
  });

/** Ends a connection whose reader leaves a full stream alone. */
const cutWhenStalled = (reply: FastifyReply): void => {
  reply.raw.setTimeout(STALL_MS, () => reply.raw.destroy());
};

/**
 * Sends pieces as they come, no faster than they are read. What fails before the first piece is thrown, to be answered as an error;
 * what fails later breaks the connection off, so that half of an answer can't pass for all of it.
 */
export const streamLines = async <T>(
  reply: FastifyReply,
  { type, chunks, lines, call }: Lines<T>,
): Promise<void> => {
  const iterator = chunks[Symbol.asyncIterator]();
  let next = await iterator.next();
  reply.hijack();
  const headers = reply.getHeaders() as Record<string, string>;
  reply.raw.writeHead(200, { ...headers, 'content-type': type });
  cutWhenStalled(reply);
  try {
    while (!next.done) {
      if (!reply.raw.write(lines(next.value))) await room(reply, call.signal);
      next = await iterator.next();
    }
    reply.raw.end();
  } catch (error) {
    call.note({ brokenOff: true, error });
    reply.raw.destroy();
  } finally {
    await iterator.return?.();
  }
};
