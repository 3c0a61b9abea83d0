import {
  callBlock,
  FLAG,
  FRAME,
  frame,
  grpcMessage,
  preface,
  SETTING,
  windowUpdate,
} from '../../support/http2-frames.ts';
import type { Attacker } from '../lib/attacker.ts';
import { type ConnectionOptions, keepConnections, writeEvery, writeOn } from '../lib/connections.ts';
import { GET_TOKENS } from '../lib/grpc-session.ts';
import { BASE } from '../lib/target.ts';
import { countRejections, grpcConnections, type StreamOptions, streamIds } from './streams.ts';

const MOST_WINDOW = 2 ** 31 - 1;
const INITIAL_WINDOW = 65_535;
const DRIP_MS = 100;
/** How often a client that does not read writes, by which it notices that its connection has ended. */
const NOTICE_MS = 500;
const PING = frame(FRAME.ping, { payload: Buffer.alloc(8) });

/**
 * Streams of a long list that are not read: those of every second connection have a window of one byte, which grows by one byte ten
 * times a second; the others have windows without end and leave all that comes in the socket.
 */
export const unreadLists =
  ({ streams, ...options }: StreamOptions): Attacker =>
  (context) => {
    let connection = 0;
    const list = callBlock(GET_TOKENS, [['authorization', `Bearer ${context.target.listedJwt}`]]);
    return keepConnections(context, grpcConnections(options), (socket, signal) => {
      const drips = connection % 2 === 0;
      connection += 1;
      const window = drips ? 1 : MOST_WINDOW;
      socket.write(preface([[SETTING.initialWindowSize, window]]));
      if (!drips) socket.write(windowUpdate(0, MOST_WINDOW - INITIAL_WINDOW));
      const ids = streamIds(streams);
      for (const stream of ids) {
        context.counter.attempted();
        socket.write(frame(FRAME.headers, { flags: FLAG.endHeaders, stream, payload: list }));
        socket.write(
          frame(FRAME.data, { flags: FLAG.endStream, stream, payload: grpcMessage(Buffer.alloc(0)) }),
        );
      }
      if (!drips) {
        writeEvery(NOTICE_MS, socket, { signal, bytes: PING });
        return;
      }
      countRejections(socket, context);
      const bytes = Buffer.concat(ids.map((stream) => windowUpdate(stream, 1)));
      writeEvery(DRIP_MS, socket, { signal, bytes });
    });
  };

type HttpOptions = Pick<ConnectionOptions, 'connections' | 'addresses'>;

/** Ignored before a request (RFC 9112 §2.2). */
const BLANK_LINE = Buffer.from('\r\n');

/** Long lists over HTTP that are not read. */
export const unreadHttpLists =
  (options: HttpOptions): Attacker =>
  (context) =>
    keepConnections(context, { ...options, port: 'http', secure: true }, (socket, signal) => {
      const { listedJwt } = context.target;
      socket.pause();
      socket.write(
        `GET ${BASE}/api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${listedJwt}\r\n\r\n`,
      );
      writeEvery(NOTICE_MS, socket, { signal, bytes: BLANK_LINE });
    });

const DOCUMENTS = Buffer.from(
  ['/.well-known/jwks.json', '/openapi.json']
    .map((path) => `GET ${BASE}${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    .join('')
    .repeat(20),
);

/** Requests for documents, one behind the other as fast as they are taken, whose answers are not read. */
export const unreadDocuments =
  (options: HttpOptions): Attacker =>
  (context) =>
    keepConnections(context, { ...options, port: 'http', secure: true }, (socket, signal) => {
      socket.pause();
      writeOn(socket, signal, () => DOCUMENTS);
    });
