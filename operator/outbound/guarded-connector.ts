import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { FindRefusedAddress } from '../domain/address-policy.ts';
import { type FindProxy, UnreachableError } from '../ports/outbound.ts';
import { openTunnel } from './proxy-tunnel.ts';

export interface ConnectorOptions {
  readonly findRefusedAddress: FindRefusedAddress;
  /** PEM; absent = Node's own authorities. */
  readonly ca?: string[] | undefined;
  readonly timeoutMs: number;
  /** Absent: every host is reached directly. */
  readonly findProxy?: FindProxy | undefined;
  /** PEM authorities of an https proxy; absent: Node's own. */
  readonly proxyCa?: string[] | undefined;
  /** How names become addresses: the system's way unless given. */
  readonly resolve?: LookupFunction;
}

const refusal = (host: string, why: string): UnreachableError =>
  new UnreachableError(
    `${host} is at an address that requests may not go to (${why}); outbound.allowedCIDRs decides`,
  );

/** Looks names up as the system does, and gives only the addresses that requests may go to: what is checked is what is connected to, whatever the name says a moment later. */
const guardedLookup =
  ({ findRefusedAddress, resolve = lookup }: ConnectorOptions): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0);
      const addresses = Array.isArray(found) ? found : [{ address: found, family: isIP(found) }];
      const allowed = addresses.filter(({ address }) => findRefusedAddress(address) === undefined);
      const [first] = allowed;
      if (!first) {
        const why = addresses.map(({ address }) => findRefusedAddress(address))[0] ?? 'none';
        return callback(refusal(hostname, why), '', 0);
      }
      if (options.all) return callback(null, allowed);
      callback(null, first.address, first.family);
    });
  };

const DEFAULT_PORT = 443;

/** An allowed address of a host, which a proxy is asked for: what a name leads to for the proxy may be another one. */
const findAddress = (options: ConnectorOptions, host: string): Promise<string> =>
  isIP(host) !== 0
    ? Promise.resolve(host)
    : new Promise((resolve, reject) => {
        guardedLookup(options)(host, {}, (error, address) => {
          if (error) reject(error);
          else resolve(String(address));
        });
      });

/**
 * An undici connector whose sockets end at allowed addresses only, whether a proxy is between or not. A host that is an address needs no
 * look-up, and is checked before.
 */
export const guardedConnector = (options: ConnectorOptions): buildConnector.connector => {
  const { findRefusedAddress, ca, proxyCa, timeoutMs } = options;
  const connect = buildConnector({
    lookup: guardedLookup(options),
    timeout: timeoutMs,
    allowH2: false,
    ...(ca && { ca }),
  });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/gu, '');
    const why = isIP(host) === 0 ? undefined : findRefusedAddress(host);
    if (why !== undefined) return callback(refusal(host, why), null);
    const port = Number(target.port) || DEFAULT_PORT;
    const proxy = options.findProxy?.(host, port);
    if (proxy === undefined) return connect(target, callback);
    findAddress(options, host)
      .then((address) => {
        const authority = isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
        return openTunnel({ proxy, authority, ca: proxyCa, signal: AbortSignal.timeout(timeoutMs) });
      })
      .then(
        (httpSocket) => connect({ ...target, httpSocket }, callback),
        (error: Error) => callback(error, null),
      );
  };
};
