import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { grpcMessage } from '../../support/http2-frames.ts';
import { secureContext } from './connections.ts';
import { HOST } from './target.ts';

/** Calls of gRPC over node:http2, from an address of choice, which grpc-js does not offer. */
export interface GrpcSession {
  readonly isOpen: boolean;
  /** A unary or streamed call. @throws Error where the connection or the stream fails, or the deadline passes */
  call(path: string, message: Uint8Array, options?: CallOptions): Promise<GrpcAnswer>;
  close(): void;
}

interface CallOptions {
  readonly authorization?: string;
  /** 5,000 unless given. */
  readonly deadlineMs?: number;
}

interface GrpcAnswer {
  /** The gRPC status; 0 is OK. */
  readonly code: number;
  /** The messages with their prefixes. */
  readonly body: Buffer;
}

const SERVICE = '/m2moauthserver.pb.M2MOAuthService';
export const CREATE_TOKEN = `${SERVICE}/CreateToken`;
export const GET_TOKENS = `${SERVICE}/GetTokens`;

/** Bytes of the prefix of a message. */
export const PREFIX_BYTES = 5;

const DEADLINE_MS = 5000;

const answerOf = (stream: ClientHttp2Stream): Promise<GrpcAnswer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let code: number | undefined;
    const take = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) code = Number(headers['grpc-status']);
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      if (code === undefined) reject(new Error(`the stream ended without a status (${stream.rstCode})`));
      else resolve({ code, body: Buffer.concat(chunks) });
    });
  });

/** Connects at the first call. */
export const openGrpcSession = ({ port, from }: { port: number; from: string }): GrpcSession => {
  let failure: Error | undefined;
  const session: ClientHttp2Session = connect(`https://${HOST}:${port}`, {
    createConnection: () =>
      connectTls({
        socket: connectTcp({ host: HOST, port, localAddress: from }),
        ALPNProtocols: ['h2'],
        secureContext,
        rejectUnauthorized: false,
      }),
  });
  session.on('error', (error) => {
    failure = error;
  });
  return {
    get isOpen() {
      return failure === undefined && !session.closed && !session.destroyed;
    },
    call: async (path, message, { authorization, deadlineMs = DEADLINE_MS } = {}) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...(authorization !== undefined && { authorization }),
      });
      const timer = setTimeout(() => stream.destroy(new Error('deadline exceeded')), deadlineMs);
      stream.end(grpcMessage(message));
      try {
        return await answerOf(stream);
      } finally {
        clearTimeout(timer);
        if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
      }
    },
    close: () => session.destroy(),
  };
};
