/** HTTP/2 by hand (RFC 9113, RFC 7541): frames that no polite client sends. */

export const FRAME = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { ack: 1, endStream: 1, endHeaders: 4 } as const;

const HEAD_BYTES = 9;

/** A frame of a stream; 0 is the connection. */
export const frame = (
  type: number,
  {
    flags = 0,
    stream = 0,
    payload = Buffer.alloc(0),
  }: { flags?: number; stream?: number; payload?: Buffer } = {},
): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

/** Settings by their identifiers (RFC 9113 §6.5.2). */
export const settings = (values: readonly (readonly [identifier: number, value: number])[] = []): Buffer => {
  const payload = Buffer.alloc(6 * values.length);
  values.forEach(([identifier, value], at) => {
    payload.writeUInt16BE(identifier, 6 * at);
    payload.writeUInt32BE(value, 6 * at + 2);
  });
  return frame(FRAME.settings, { payload });
};

export const SETTING = { initialWindowSize: 4 } as const;

/** What a client begins with. */
export const preface = (values: Parameters<typeof settings>[0] = []): Buffer =>
  Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings(values)]);

export const windowUpdate = (stream: number, increment: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(FRAME.windowUpdate, { stream, payload });
};

/** An integer with a prefix of 7 bits whose first bit is 0 (RFC 7541 §5.1): the length of a string that is not compressed. */
const lengthOf = (value: number): Buffer => {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
};

const text = (value: string): Buffer => Buffer.concat([lengthOf(value.length), Buffer.from(value, 'latin1')]);

/** A field that is neither compressed nor remembered (RFC 7541 §6.2.2). */
export const field = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0]), text(name), text(value)]);

/** The header block of a gRPC call. */
export const callBlock = (
  path: string,
  more: readonly (readonly [name: string, value: string])[] = [],
): Buffer =>
  Buffer.concat(
    (
      [
        [':method', 'POST'],
        [':scheme', 'https'],
        [':path', path],
        [':authority', 'localhost'],
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
        ...more,
      ] as const
    ).map(([name, value]) => field(name, value)),
  );

/** A gRPC message with its prefix; `claimed` is the length that the prefix states. */
export const grpcMessage = (bytes: Uint8Array, claimed = bytes.length): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(claimed, 1);
  return Buffer.concat([prefix, bytes]);
};

/** Calls back with the type and the stream of each frame of what arrives in pieces. */
export const readFrames = (
  onFrame: (type: number, stream: number, flags: number) => void,
): ((chunk: Buffer) => void) => {
  let rest = Buffer.alloc(0);
  let skip = 0;
  return (chunk) => {
    const dropped = Math.min(skip, chunk.length);
    skip -= dropped;
    rest = Buffer.concat([rest, chunk.subarray(dropped)]);
    while (rest.length >= HEAD_BYTES) {
      const length = rest.readUIntBE(0, 3);
      onFrame(rest.readUInt8(3), rest.readUInt32BE(5) & 0x7fffffff, rest.readUInt8(4));
      const end = HEAD_BYTES + length;
      skip = Math.max(0, end - rest.length);
      rest = rest.subarray(Math.min(end, rest.length));
      if (skip > 0) return;
    }
  };
};
