import type { Socket } from 'node:net';
import { plainAddress } from '../../domain/caller-address.ts';
import { type HttpRequestDeps, type RequestLifecycle, recordFinished } from './request-lifecycle.ts';

/** Status lines by the error codes of Node and its HTTP parser. */
const STATUSES: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
};
const BAD_REQUEST = '400 Bad Request';

/** The requests in progress on a connection; undefined if it is not ready for HTTP. */
interface RequestsByConnection {
  exchangesOn(socket: Socket): ReadonlySet<RequestLifecycle> | undefined;
}

const isAnyAnswered = (exchanges: ReadonlySet<RequestLifecycle>): boolean =>
  [...exchanges].some((exchange) => exchange.hasStartedResponse);

/**
 * Closes a connection with input that is not HTTP, too large or too slow. The client gets a status without a body, since the path that
 * decides the error format is unknown; and nothing if part of an answer was sent, as the status would pass for more of it.
 */
export const rejectUnreadable = (
  { code = '' }: NodeJS.ErrnoException,
  socket: Socket,
  { connections, deps }: { readonly connections: RequestsByConnection; readonly deps: HttpRequestDeps },
): void => {
  const exchanges = connections.exchangesOn(socket);
  // Node also calls this for a failed TLS handshake.
  if (!exchanges || code === 'ECONNRESET' || !socket.writable || isAnyAnswered(exchanges)) {
    socket.destroy();
    return;
  }
  const line = STATUSES[code] ?? BAD_REQUEST;
  const status = Number(line.slice(0, 3));
  for (const exchange of exchanges) exchange.rejectedOnSocket(status);
  if (exchanges.size === 0) {
    const address = socket.remoteAddress === undefined ? undefined : plainAddress(socket.remoteAddress);
    recordFinished(deps, {
      route: 'unknown',
      method: 'other',
      status,
      ms: 0,
      address,
      successLevel: 'debug',
    });
  }
  socket.write(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroySoon();
};
