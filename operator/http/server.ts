import type { AddressInfo } from 'node:net';
import type { Issuer } from '../issuer/use-cases.ts';
import type { PublicKeys } from '../ports/signing.ts';
import type { CertificateFiles } from '../tls/certificates.ts';
import { openServerCertificates, type ServerCertificates } from '../tls/server-certificates.ts';
import type { DoorTools } from './access-log.ts';
import { discoveryRoutes } from './discovery.ts';
import { Door } from './door.ts';
import { gatewayRoutes } from './gateway.ts';
import { introspectionRoute } from './introspection-endpoint.ts';
import { createListener } from './listener.ts';
import { openApiRoute } from './openapi.ts';
import { revocationRoute } from './revocation-endpoint.ts';
import type { Route } from './route.ts';
import { tokenRoute } from './token-endpoint.ts';

/** Certificate files, and what is asked of clients; no `certFile` is plain text (contract §6). */
export interface DoorTls extends CertificateFiles {
  readonly clientCertificateRequired: boolean;
}

export interface HttpDoorOptions extends DoorTools {
  readonly address: { readonly host: string; readonly port: number };
  readonly tls: DoorTls;
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  /** Its path is what every path begins with. */
  readonly issuerUrl: string;
  readonly issuer: Issuer;
  readonly keys: PublicKeys;
  /** Of the operator, for the OpenAPI document. */
  readonly version: string;
}

/** The HTTP listener (contract §5). */
export interface HttpDoor {
  /** Listens; resolves with the port that was taken. @throws Error where the certificates or the address can't be used */
  start(signal: AbortSignal): Promise<number>;
  /** Takes no more connections, ends those that are idle, and cuts what still runs after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

/** The path of the issuer URL, which has no trailing slash; '' where it has none. */
const baseOf = (issuerUrl: string): string => new URL(issuerUrl).pathname.replace(/\/$/u, '');

/** Every path and method of the door. */
export const routesOf = ({ issuerUrl, issuer, keys, version }: HttpDoorOptions): Route[] => {
  const base = baseOf(issuerUrl);
  const routes = [
    ...discoveryRoutes(base, { issuerUrl, keys }),
    tokenRoute(base, issuer.createToken),
    introspectionRoute(base, issuer.introspectToken),
    revocationRoute(base, issuer.revokeToken),
    ...gatewayRoutes(base, issuer),
  ];
  return [...routes, openApiRoute(base, { issuerUrl, routes, version })];
};

const protectionOf = ({ certFile, clientCertificateRequired }: DoorTls) => {
  if (certFile === '') return 'plaintext';
  return clientCertificateRequired ? 'mutual' : 'server';
};

/** Makes the HTTP door. Nothing is read and nothing listens before {@link HttpDoor.start}. */
export const createHttpDoor = (options: HttpDoorOptions): HttpDoor => {
  const { address, clock, log, tls, issuerUrl } = options;
  let certificates: ServerCertificates | undefined;
  let door: Door | undefined;
  const build = (): Door =>
    new Door({
      routes: routesOf(options),
      rpcPrefix: `${baseOf(issuerUrl)}/api/v1`,
      corsOrigins: options.corsOrigins,
      trustedProxies: options.trustedProxies,
      serverFactory: (handler) =>
        createListener(
          { certificates, clientCertificateRequired: tls.clientCertificateRequired, log },
          handler,
        ),
      tools: options,
    });
  return {
    start: async (signal) => {
      if (tls.certFile !== '') certificates = await openServerCertificates({ files: tls, clock, log });
      signal.throwIfAborted();
      door = build();
      await door.app.listen({ host: address.host, port: address.port });
      const { port } = door.app.server.address() as AddressInfo;
      log.info('HTTP listener started', { host: address.host, port, tls: protectionOf(tls) });
      return port;
    },
    stop: async (deadlineMs) => {
      const cancel = clock.after(deadlineMs, () => door?.app.server.closeAllConnections());
      await door?.app.close();
      cancel();
      certificates?.stop();
    },
  };
};
