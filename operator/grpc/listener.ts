import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { MAX_CONNECTIONS } from './limits.ts';

/** A bound port whose connections can be counted, and cut. */
export interface Listener {
  /** @throws Error where the address can't be had */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Takes no more connections. */
  close(): void;
  /** Ends every connection at once. */
  destroyAll(): void;
}

/** Listens in the place of grpc-js, whose own listener knows no bound. */
export const createListener = (onConnection: (socket: Socket) => void): Listener => {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return {
    listen: async ({ host, port }) => {
      server.listen(port, host);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
    close: () => void server.close(),
    destroyAll: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
};
