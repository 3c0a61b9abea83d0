import { callBlock, FLAG, FRAME, field, frame, preface } from '../../support/http2-frames.ts';
import type { Attacker } from '../lib/attacker.ts';
import { keepConnections, writeOn } from '../lib/connections.ts';
import { CREATE_TOKEN } from '../lib/grpc-session.ts';
import { BASE } from '../lib/target.ts';
import { countRejections, grpcConnections, type StreamOptions, streamIds } from './streams.ts';

const FIELDS = 60;
const FIELD_BYTES = 1000;

/** About 60 KB of header fields, in as many frames as they need. */
const headerFrames = (stream: number): Buffer => {
  const fields = Array.from({ length: FIELDS }, (_, at) => field(`x-${at}`, 'a'.repeat(FIELD_BYTES)));
  const parts = [callBlock(CREATE_TOKEN)];
  for (let at = 0; at < FIELDS; at += 10) parts.push(Buffer.concat(fields.slice(at, at + 10)));
  return Buffer.concat(
    parts.map((payload, at) =>
      frame(at === 0 ? FRAME.headers : FRAME.continuation, {
        flags: at === parts.length - 1 ? FLAG.endHeaders : 0,
        stream,
        payload,
      }),
    ),
  );
};

/** Calls with huge header lists that never send their message. */
export const headerLists =
  ({ streams, ...options }: StreamOptions): Attacker =>
  (context) =>
    keepConnections(context, grpcConnections(options), (socket, signal) => {
      countRejections(socket, context, { endedCalls: true });
      socket.write(preface());
      const ids = streamIds(streams).values();
      writeOn(socket, signal, () => {
        const { value: stream } = ids.next();
        if (stream === undefined) return undefined;
        context.counter.attempted();
        return headerFrames(stream);
      });
    });

const HTTP_FIELDS = 500;
const REQUEST = Buffer.from(
  `GET ${BASE}/.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\n${Array.from({ length: HTTP_FIELDS }, (_, at) => `x-${at}: ${'a'.repeat(100)}\r\n`).join('')}\r\n`,
);

/** Requests over HTTP with 500 header fields, one after the other. */
export const manyFields =
  (options: { readonly connections: number }): Attacker =>
  (context) =>
    keepConnections(context, { ...options, port: 'http', secure: true }, (socket) => {
      const send = (): void => {
        context.counter.attempted();
        socket.write(REQUEST);
      };
      socket.on('data', (chunk: Buffer) => {
        if (!chunk.includes('HTTP/1.1 ')) return;
        context.counter.refused(`HTTP ${chunk.toString('latin1', 9, 12)}`);
        if (socket.writable) send();
      });
      send();
    });
