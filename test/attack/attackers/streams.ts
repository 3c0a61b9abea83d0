import type { Socket } from 'node:net';
import {
  callBlock,
  FLAG,
  FRAME,
  frame,
  grpcMessage,
  preface,
  readFrames,
} from '../../support/http2-frames.ts';
import type { AttackContext, Attacker } from '../lib/attacker.ts';
import { type ConnectionOptions, keepConnections } from '../lib/connections.ts';

/** Where the streams of gRPC connections go, and how many each connection opens. */
export type StreamOptions = Pick<ConnectionOptions, 'connections' | 'addresses'> & {
  readonly streams: number;
};

/** The connections of an attack on streams. */
export const grpcConnections = (
  options: Pick<ConnectionOptions, 'connections' | 'addresses'>,
): ConnectionOptions => ({
  ...options,
  port: 'grpc',
  secure: true,
});

/** The ids of a client's streams, in order. */
export const streamIds = (count: number): number[] => Array.from({ length: count }, (_, at) => 2 * at + 1);

/** Reads all that comes and counts what rejects a stream or the connection; `endedCalls`: also calls that end with a status. */
export const countRejections = (
  socket: Socket,
  { counter }: Pick<AttackContext, 'counter'>,
  { endedCalls = false } = {},
): void => {
  socket.on(
    'data',
    readFrames((type, _stream, flags) => {
      if (type === FRAME.resetStream) counter.refused('stream reset');
      if (type === FRAME.goAway) counter.refused('GOAWAY');
      if (endedCalls && type === FRAME.headers && (flags & FLAG.endStream) !== 0) counter.refused('status');
    }),
  );
};

const WATCH = callBlock('/grpc.health.v1.Health/Watch');

/** Streams of Health/Watch, which never end, without credentials. */
export const healthWatches =
  ({ streams, ...options }: StreamOptions): Attacker =>
  (context) =>
    keepConnections(context, grpcConnections(options), (socket) => {
      countRejections(socket, context, { endedCalls: true });
      socket.write(preface());
      for (const stream of streamIds(streams)) {
        context.counter.attempted();
        socket.write(frame(FRAME.headers, { flags: FLAG.endHeaders, stream, payload: WATCH }));
        socket.write(
          frame(FRAME.data, { flags: FLAG.endStream, stream, payload: grpcMessage(Buffer.alloc(0)) }),
        );
      }
    });
