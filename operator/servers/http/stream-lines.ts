import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { HttpRequestContext } from './route.ts';

/** An answer of one line for each item, in chunks that are requested when the client has read the ones before. */
export interface Lines<T> {
  readonly type: string;
  readonly chunks: AsyncIterable<readonly T[]>;
  readonly line: (item: T) => string;
  readonly call: Pick<HttpRequestContext, 'signal'>;
}

/**
 * Writes lines, each when the network has taken the one before: so each is a separate chunk and TLS record, and no more than one waits
 * for a client that does not read, whose connection ends by the listener's limits.
 */
class LineWriter {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;
  #fail: ((reason: unknown) => void) | undefined;

  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#fail?.(signal.reason), { once: true });
  }

  /** @throws the signal's reason if the client disconnects */
  write(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#signal.aborted) return reject(this.#signal.reason);
      this.#fail = reject;
      // After an error the connection closes, which aborts the signal.
      this.#response.write(line, (error) => {
        if (!error) resolve();
      });
    });
  }
}

/** Takes over the response from fastify, which would not wait for the client. */
const begin = (reply: FastifyReply, type: string): void => {
  reply.hijack();
  reply.raw.writeHead(200, { ...reply.getHeaders(), 'content-type': type } as OutgoingHttpHeaders);
  reply.raw.flushHeaders();
};

/**
 * Sends each line in a separate write, as grpc-gateway does, no faster than the client reads: some clients take what one read of the
 * body returns for one line. HEAD gets the headers alone. An answer of at most one line is sent at once with its length: a chunked transfer
 * takes several writes.
 * @throws what `chunks` throws; if the second chunk was requested successfully, the answer has begun
 */
export const streamLines = async <T>(
  reply: FastifyReply,
  { type, chunks, line, call }: Lines<T>,
): Promise<void> => {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    if (first.done) return void reply.type(type).send('');
    let next = await iterator.next();
    if (next.done && first.value.length <= 1) {
      return void reply.type(type).send(first.value.map(line).join(''));
    }
    begin(reply, type);
    if (reply.request.method === 'HEAD') return void reply.raw.end();
    const writer = new LineWriter(reply.raw, call.signal);
    for (const item of first.value) await writer.write(line(item));
    for (; !next.done; next = await iterator.next()) {
      for (const item of next.value) await writer.write(line(item));
    }
    reply.raw.end();
  } finally {
    await iterator.return?.();
  }
};
