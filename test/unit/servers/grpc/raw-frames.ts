import { once } from 'node:events';
import { connect } from 'node:net';
import { pathOf } from './raw-call.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [HEADERS, RST_STREAM, SETTINGS, GOAWAY] = [1, 3, 4, 7];
const END_HEADERS = 4;
const HEADER_BYTES = 9;
const CANCEL = 8;

const frameOf = (type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer => {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
};

/** A field as HPACK writes it without its tables (RFC 7541 §6.2.2). */
const field = (name: string, value: string): Buffer =>
  Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);

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
  Buffer.concat(idsOf(first, count).map((id) => frameOf(HEADERS, END_HEADERS, id, CALL)));

/** Resets these calls with an error code. */
export const endCalls = (first: number, count: number, code = CANCEL): Buffer =>
  Buffer.concat(idsOf(first, count).map((id) => frameOf(RST_STREAM, 0, id, Buffer.from([0, 0, 0, code]))));

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
  socket.write(Buffer.concat([PREFACE, frameOf(SETTINGS, 0, 0)]));
  for await (const some of frames) socket.write(some);
  await closed;
  const received = Buffer.concat(blocks);
  for (let at = 0; at + HEADER_BYTES <= received.length; ) {
    const length = received.readUIntBE(at, 3);
    if (received[at + 3] === GOAWAY) return received.readUInt32BE(at + HEADER_BYTES + 4);
    at += HEADER_BYTES + length;
  }
  return undefined;
};
