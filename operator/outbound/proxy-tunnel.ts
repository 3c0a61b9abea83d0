import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { type OutboundProxy, UnreachableError } from '../ports/outbound.ts';

/** A connection that a proxy is asked for. */
interface TunnelOptions {
  readonly proxy: OutboundProxy;
  /** `address:port`, an IPv6 address in brackets. */
  readonly authority: string;
  /** PEM authorities for an https proxy; absent: Node's own. */
  readonly ca?: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

/** The largest header of a proxy's response, in bytes. */
const MAX_HEADER = 16_384;

const failed = (why: string, cause?: unknown): UnreachableError =>
  new UnreachableError(`the proxy of HTTPS_PROXY ${why}`, { cause });

/**
 * A connection through a proxy (CONNECT, RFC 9110 §9.3.6).
 * @throws UnreachableError with the status or the code, and nothing else of the proxy or its response
 */
export const openTunnel = ({ proxy, authority, ca, signal }: TunnelOptions): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const request = proxy.isSecure ? httpsRequest : httpRequest;
    const connecting = request({
      method: 'CONNECT',
      host: proxy.host,
      port: proxy.port,
      path: authority,
      headers: {
        host: authority,
        ...(proxy.authorization !== undefined && { 'proxy-authorization': proxy.authorization }),
      },
      agent: false,
      maxHeaderSize: MAX_HEADER,
      signal,
      ...(proxy.isSecure && ca && { ca: [...ca] }),
    });
    connecting.on('connect', ({ statusCode = 0 }, socket: Socket, head) => {
      if (statusCode >= 200 && statusCode < 300 && head.length === 0) return resolve(socket);
      socket.destroy();
      reject(failed(`does not connect to ${authority} (${statusCode})`));
    });
    connecting.on('error', (error: NodeJS.ErrnoException) => {
      const why = signal.aborted
        ? 'did not answer in time'
        : `can not be reached (${error.code ?? error.name})`;
      reject(failed(why, error));
    });
    connecting.end();
  });
