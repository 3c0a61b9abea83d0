import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { status } from '@grpc/grpc-js';

/** The path of a method of M2MOAuthService. */
export const pathOf = (method: string): string => `/m2moauthserver.pb.M2MOAuthService/${method}`;

/** A message in its frame: not compressed, length, bytes. */
export const frame = (message: Uint8Array, compressed = 0): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
};

/** A call by hand: whatever bytes a test likes, and read no faster than it likes (grpc-js's client reads on regardless). */
export interface RawCall extends AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  /** How it ended: the status by name, or the HTTP/2 error. */
  readonly ended: Promise<{ readonly code?: string; readonly message?: string; readonly reset?: number }>;
}

/** grpc-js encodes its messages but for the one that names an unknown path. */
const decoded = (message: string): string => {
  try {
    return decodeURI(message);
  } catch {
    return message;
  }
};

const statusOf = (headers: OutgoingHttpHeaders) => {
  const code = headers['grpc-status'];
  return code === undefined
    ? undefined
    : {
        code: status[Number(code)] ?? String(code),
        message: decoded(String(headers['grpc-message'] ?? '')),
      };
};

/** What is out of the ordinary about a call. */
interface RawOptions {
  readonly headers?: OutgoingHttpHeaders;
  /** HTTP/2's own 65,535 bytes unless given. */
  readonly initialWindowSize?: number;
}

/** Opens a connection without TLS and starts a call on it; the request is for the test to write. */
export const rawCall = (
  port: number,
  path: string,
  { headers = {}, initialWindowSize = 65_535 }: RawOptions = {},
): RawCall => {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize } });
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const ended = new Promise<Awaited<RawCall['ended']>>((resolve) => {
    const onHeaders = (received: OutgoingHttpHeaders): void => {
      const found = statusOf(received);
      if (found) resolve(found);
    };
    stream.on('response', onHeaders);
    stream.on('trailers', onHeaders);
    stream.on('error', () => undefined);
    stream.on('close', () => resolve({ reset: stream.rstCode }));
  });
  return {
    session,
    stream,
    ended,
    [Symbol.asyncDispose]: async () => {
      session.destroy();
    },
  };
};
