import { once } from 'node:events';
import { connect } from 'node:net';
import { FLAG, FRAME, field, frame, preface } from '../../../support/http2-frames.ts';
import { pathOf } from './raw-call.ts';

const HEADER_BYTES = 9;
const CANCEL = 8;

/** The headers of a call. `:method POST` and `:scheme http` are in HPACK's static table. */
const CALL = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  field(':path', pathOf('CreateToken')),
  field(':authority', 'server'),
  field('content-type', 'application/grpc'),
  field('te', 'trailers'),
]);

const idsOf = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => 2 * (first + at) + 1);

/** So many calls, of which only the headers are sent, from the `first`th of the connection on. */
export const beginCalls = (first: number, count: number): Buffer =>
  Buffer.concat(
    idsOf(first, count).map((id) =>
      frame(FRAME.headers, { flags: FLAG.endHeaders, stream: id, payload: CALL }),
    ),
  );

/** Resets these calls with an error code. */
export const endCalls = (first: number, count: number, code = CANCEL): Buffer =>
  Buffer.concat(
    idsOf(first, count).map((id) =>
      frame(FRAME.resetStream, { stream: id, payload: Buffer.from([0, 0, 0, code]) }),
    ),
  );

/** So many calls, each reset as soon as it has begun. */
export const resetCalls = (count: number): Buffer =>
  Buffer.concat(idsOf(0, count).flatMap((_id, at) => [beginCalls(at, 1), endCalls(at, 1)]));

/** Sends the preface and then `frames`. Resolves when the server has closed the connection, with the error code of its GOAWAY. */
export const goawayFor = async (
  port: number,
  frames: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<number | undefined> => {
  const socket = connect(port, '127.0.0.1');
  const blocks: Buffer[] = [];
  socket.on('error', () => undefined).on('data', (block) => blocks.push(block));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  socket.write(preface());
  for await (const some of frames) socket.write(some);
  await closed;
  const received = Buffer.concat(blocks);
  for (let at = 0; at + HEADER_BYTES <= received.length; ) {
    const length = received.readUIntBE(at, 3);
    if (received[at + 3] === FRAME.goAway) return received.readUInt32BE(at + HEADER_BYTES + 4);
    at += HEADER_BYTES + length;
  }
  return undefined;
};
