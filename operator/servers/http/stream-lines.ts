import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { HttpRequestContext } from './route.ts';

/** An answer in chunks, each requested when the client has read the ones before. */
export interface Lines<T> {
  readonly type: string;
  readonly chunks: AsyncIterable<T>;
  readonly lines: (chunk: T) => string;
  readonly call: Pick<HttpRequestContext, 'signal'>;
}

/**
 * Resolves when the connection accepts more data; connections.ts disconnects a client that never reads.
 * @throws the signal's reason when the client disconnects: 'drain' is not emitted then
 */
const drained = ({ raw }: FastifyReply, signal: AbortSignal): Promise<void> =>
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

/** Takes over the response from fastify, which would not apply backpressure. */
const begin = (reply: FastifyReply, type: string): void => {
  reply.hijack();
  reply.raw.writeHead(200, { ...reply.getHeaders(), 'content-type': type } as OutgoingHttpHeaders);
};

/**
 * Sends chunks no faster than the client reads; HEAD gets the headers alone. An answer of at most one chunk is sent at once with its
 * length: a chunked transfer takes several writes.
 * @throws what `chunks` throws; if the second chunk was requested successfully, the answer has begun
 */
export const streamLines = async <T>(
  reply: FastifyReply,
  { type, chunks, lines, call }: Lines<T>,
): Promise<void> => {
  const iterator = chunks[Symbol.asyncIterator]();
  const send = async (chunk: T): Promise<void> => {
    if (!reply.raw.write(lines(chunk))) await drained(reply, call.signal);
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
