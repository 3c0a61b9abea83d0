/** Whether a connection's first bytes hold a whole TLS ClientHello, may become one, or can't. */
export type HelloState = 'whole' | 'partial' | 'invalid';

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
/** Several times the largest in use, with its post-quantum key shares and a session ticket. */
const MAX_HELLO_BYTES = 16_384;

/**
 * Looks for a ClientHello (RFC 8446 §4, in records as in §5.1, where it may be split). Once it is there, the server's part of the
 * handshake, a signature, can be computed without waiting for the client again.
 */
export const helloStateOf = (bytes: Buffer): HelloState => {
  let [at, found, wanted] = [0, 0, HANDSHAKE_HEADER_BYTES];
  const header: number[] = [];
  while (bytes.length - at >= RECORD_HEADER_BYTES) {
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== HANDSHAKE_RECORD || bytes[at + 1] !== 3 || length === 0) return 'invalid';
    const start = at + RECORD_HEADER_BYTES;
    const content = bytes.subarray(start, start + length);
    if (header.length < HANDSHAKE_HEADER_BYTES) {
      header.push(...content.subarray(0, HANDSHAKE_HEADER_BYTES - header.length));
    }
    const [type, high = 0, middle = 0, low = 0] = header;
    if (type !== undefined && type !== CLIENT_HELLO) return 'invalid';
    if (header.length === HANDSHAKE_HEADER_BYTES) {
      wanted = HANDSHAKE_HEADER_BYTES + high * 65_536 + middle * 256 + low;
    }
    if (wanted > MAX_HELLO_BYTES) return 'invalid';
    found += content.length;
    if (header.length === HANDSHAKE_HEADER_BYTES && found >= wanted) return 'whole';
    at = start + length;
  }
  const isRecord = bytes.length <= at || bytes[at] === HANDSHAKE_RECORD;
  return isRecord && bytes.length <= 2 * MAX_HELLO_BYTES ? 'partial' : 'invalid';
};
