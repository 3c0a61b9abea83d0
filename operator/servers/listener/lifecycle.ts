import { settlesWithin } from '../../async/abort.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ListenAddress, Listener, ListenerOptions } from './listener.ts';
import { openServerCertificates, type ServerCertificates } from './server-certificates.ts';
import { protectionOf, type ServerTls } from './tls-options.ts';

export interface LifecycleOptions {
  readonly name: ListenerOptions['name'];
  readonly address: ListenAddress;
  readonly tls: ServerTls;
  readonly clock: Clock;
  readonly log: Log;
}

/** A server that has been built and does not listen yet. */
export interface ServerHandle {
  readonly listener: Pick<Listener, 'listen' | 'close' | 'cut'>;
  /** Starts no new work, and ends each connection once its work is done. */
  drain(): void;
  /** Frees what is left when every connection has ended. */
  release?(): Promise<void>;
}

/** Starts and stops a server. */
export interface Lifecycle {
  /** Listens; resolves with the port that was taken. @throws Error where the certificates or the address can't be used */
  start(signal: AbortSignal): Promise<number>;
  /** Takes nothing new, lets work under way end, and has cut what still runs when `deadlineMs` are over. */
  stop(deadlineMs: number): Promise<void>;
}

/** What cutting connections may take of the time for a stop. */
const CUT_MS = 250;

/** Makes the {@link Lifecycle} of what `build` makes of the certificates (undefined: plain text). Nothing is read and nothing listens before {@link Lifecycle.start}. */
export const createLifecycle = (
  { name, address, tls, clock, log }: LifecycleOptions,
  build: (certificates: ServerCertificates | undefined) => ServerHandle | Promise<ServerHandle>,
): Lifecycle => {
  let certificates: ServerCertificates | undefined;
  let server: ServerHandle | undefined;
  return {
    start: async (signal) => {
      if (tls.certFile !== '') certificates = await openServerCertificates({ files: tls, clock, log });
      signal.throwIfAborted();
      server = await build(certificates);
      const port = await server.listener.listen(address);
      log.info(`${name} listener started`, { host: address.host ?? 'all', port, tls: protectionOf(tls) });
      return port;
    },
    stop: async (deadlineMs) => {
      if (server) {
        const closed = server.listener.close();
        server.drain();
        await settlesWithin(clock, Math.max(0, deadlineMs - CUT_MS), closed);
        server.listener.cut();
        await server.release?.();
      }
      certificates?.stop();
    },
  };
};
