import type { Socket } from 'node:net';
import { plainAddress } from '../../domain/caller-address.ts';
import { type HttpCallDeps, noteEnd } from './access-log.ts';
import type { Connections } from './connections.ts';
import type { Exchange } from './exchange.ts';

/** By the codes of Node and its parser. */
const STATUSES: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
};
const BAD_REQUEST = '400 Bad Request';

const isAnyAnswered = (exchanges: ReadonlySet<Exchange>): boolean =>
  [...exchanges].some((exchange) => exchange.isAnswered);

/**
 * Ends a connection on which something came that is no HTTP, too large or too slow. The caller gets a status without a body, since
 * nobody knows whom it was for; and nothing where part of another answer is out, which it would be taken for.
 */
export const refuseUnreadable = (
  { code = '' }: NodeJS.ErrnoException,
  socket: Socket,
  { connections, tools }: { readonly connections: Connections; readonly tools: HttpCallDeps },
): void => {
  const exchanges = connections.underWay(socket);
  // Node calls here for a TLS handshake that failed as well.
  if (!exchanges || code === 'ECONNRESET' || !socket.writable || isAnyAnswered(exchanges)) {
    socket.destroy();
    return;
  }
  const line = STATUSES[code] ?? BAD_REQUEST;
  const status = Number(line.slice(0, 3));
  for (const exchange of exchanges) exchange.replacedBy(status);
  if (exchanges.size === 0) {
    const address = socket.remoteAddress === undefined ? undefined : plainAddress(socket.remoteAddress);
    noteEnd(tools, { route: 'unknown', method: 'other', status, ms: 0, address, successLevel: 'debug' });
  }
  socket.write(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroySoon();
};
