import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReleaseSource } from '../../cluster/release-downloads.ts';

/** A site that answers as a test says, on a loopback address. */
export interface ReleaseSite {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly requests: readonly string[];
  /** How a path is answered from now on; others are 404. */
  readonly answer: (path: string, listener: RequestListener) => void;
  readonly close: () => Promise<void>;
}

export async function startReleaseSite(): Promise<ReleaseSite> {
  const listeners = new Map<string, RequestListener>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = String(request.url);
    requests.push(path);
    const listener = listeners.get(path) ?? ((_, missing) => missing.writeHead(404).end('not found'));
    listener(request, response);
  });
  await listen(server);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (path, listener) => listeners.set(path, listener),
    close: () => closeAtOnce(server),
  };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
}

/** Clients that wait for an answer are cut off. */
function closeAtOnce(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Answers 200 with `body`. */
export function sends(body: Uint8Array | string, type = 'application/octet-stream'): RequestListener {
  return (_, response) => {
    const bytes = Buffer.from(body);
    response.writeHead(200, { 'content-type': type, 'content-length': bytes.length }).end(bytes);
  };
}

/** Answers with the page of a login in place of the file. */
export const sendsWebPage: RequestListener = sends('<html>log in first</html>', 'text/html; charset=utf-8');

export function redirectsTo(location: string): RequestListener {
  return (_, response) => response.writeHead(302, { location }).end();
}

/** Accepts the request and says nothing. */
export const staysSilent: RequestListener = () => {};

export const sendsHeadersOnly: RequestListener = (_, response) => response.writeHead(200).flushHeaders();

/** Sends a part of what it promises, and no more. */
export function sendsHalfOf(body: string): RequestListener {
  return (_, response) => {
    response.writeHead(200, { 'content-length': body.length }).write(body.slice(0, body.length / 2));
  };
}

/** Sends a part of what it promises, then drops the connection. */
export function breaksOffIn(body: string): RequestListener {
  return (request, response) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.slice(0, body.length / 2), () => request.socket.destroy());
  };
}

/** A source whose files all come from the site at `url`, for Linux on x64 unless given. */
export function releasesAt(url: string, source: Partial<ReleaseSource> = {}): ReleaseSource {
  return {
    sites: { kubernetes: url, etcd: url },
    pinned: {},
    limits: { answerMs: 5_000, stallMs: 5_000, allowHttpLoopback: true },
    platform: { os: 'linux', arch: 'x64' },
    ...source,
  };
}
