import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { HttpCall } from './http-call.ts';

/** What is streamed, a piece at a time as it is asked for. */
export interface Lines<T> {
  readonly type: string;
  readonly chunks: AsyncIterable<T>;
  readonly lines: (chunk: T) => string;
  readonly call: Pick<HttpCall, 'signal'>;
}

/** Resolves when there is room again; a reader that never makes any is cut off elsewhere (connections.ts). @throws the signal's reason where the caller is gone, since 'drain' never comes then */
const room = ({ raw }: FastifyReply, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onDrain = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      raw.off('drain', onDrain);
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    raw.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
  });

/** Takes the answer out of fastify's hands, which would hold a stream to no reader's pace. */
const begin = (reply: FastifyReply, type: string): void => {
  reply.hijack();
  reply.raw.writeHead(200, { ...reply.getHeaders(), 'content-type': type } as OutgoingHttpHeaders);
};

/**
 * Sends pieces as they come, no faster than they are read; to HEAD what it would begin with. What is one piece at most is sent whole,
 * with its length: a chunked answer takes several writes.
 * @throws what the pieces throw: before the first ones are sent it can be answered, later the answer has begun
 */
export const streamLines = async <T>(
  reply: FastifyReply,
  { type, chunks, lines, call }: Lines<T>,
): Promise<void> => {
  const iterator = chunks[Symbol.asyncIterator]();
  const send = async (chunk: T): Promise<void> => {
    if (!reply.raw.write(lines(chunk))) await room(reply, call.signal);
    call.signal.throwIfAborted();
  };
  try {
    const first = await iterator.next();
    if (first.done) return void reply.type(type).send('');
    let next = await iterator.next();
    if (next.done) return void reply.type(type).send(lines(first.value));
    begin(reply, type);
    if (reply.request.method === 'HEAD') return void reply.raw.end();
    await send(first.value);
    for (; !next.done; next = await iterator.next()) await send(next.value);
    reply.raw.end();
  } finally {
    await iterator.return?.();
  }
};
