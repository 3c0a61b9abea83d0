import type { Http2Server, ServerHttp2Session, ServerHttp2Stream, ServerOptions } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import { servedTimeout } from './timeout.ts';

/** The private members of grpc-js's Server that this file uses: a test fails if grpc-js renames one of them. */
interface Internals {
  readonly commonServerOptions: ServerOptions;
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

/** What the HTTP/2 server of node:http2 takes beside the options of `@types/node`. */
export type Http2Limits = ServerOptions;

const internalsOf = (server: Server): Internals => server as unknown as Internals;

/** Sets options of node:http2 that grpc-js has no names for; to be called before the server makes its HTTP/2 server. */
export const limitHttp2 = (server: Server, { settings, ...limits }: Http2Limits): void => {
  const options = internalsOf(server).commonServerOptions;
  Object.assign(options, limits, { settings: { ...options.settings, ...settings } });
};

export type Headers = Readonly<Record<string, unknown>>;
type OnStream = (stream: ServerHttp2Stream, headers: Headers, flags: number) => void;

/** What comes between node:http2 and grpc-js. */
export interface Http2Gate {
  /** A connection has become an HTTP/2 session. */
  onSession(session: ServerHttp2Session): void;
  /** A request has begun: its headers are in. Calls `serve` to have grpc-js answer it. */
  onStream(stream: ServerHttp2Stream, headers: Headers, serve: () => void): void;
}

const withServedTimeout = (headers: Headers): Headers => {
  const timeout = headers['grpc-timeout'];
  const served = servedTimeout(timeout);
  return served === timeout ? headers : { ...headers, 'grpc-timeout': served };
};

/** Puts a gate before the handlers of grpc-js; to be called after the server has made its HTTP/2 server, once. */
export const gateHttp2 = (server: Server, gate: Http2Gate): void => {
  for (const http2Server of internalsOf(server).http2Servers.keys()) {
    const handlers = http2Server.listeners('stream') as OnStream[];
    http2Server.removeAllListeners('stream');
    http2Server.prependListener('session', (session) => gate.onSession(session));
    http2Server.on('stream', (stream, headers, flags) =>
      gate.onStream(stream, headers, () => {
        const served = withServedTimeout(headers);
        for (const handle of handlers) handle(stream, served, flags);
      }),
    );
  }
};
