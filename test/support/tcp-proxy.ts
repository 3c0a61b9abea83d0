import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A wire to the API server that a test can cut. TLS goes through untouched. */
export interface TcpProxy {
  /** The target's URL with this proxy's port. */
  readonly url: string;
  /** Connections that are open now. */
  readonly open: number;
  /** Connections that were made so far. */
  readonly accepted: number;
  /** Breaks every connection; new ones are fine. (No `resetAndDestroy`: it can leave Node 24 spinning at exit, over a request that is never counted as ended.) */
  cut(): void;
  /** Holds back all bytes in both directions, of new connections too, as a firewall does that drops packets. */
  stall(): void;
  /** Ends {@link TcpProxy.stall}; what was held back arrives. */
  resume(): void;
  /** Breaks new connections too, until `accept`. */
  refuse(): void;
  accept(): void;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and forwards to the host and port of `target`. */
export const startTcpProxy = async (target: string): Promise<TcpProxy> => {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const state = { stalled: false, refusing: false, accepted: 0 };
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    if (state.stalled) socket.pause();
  };
  const server = createServer((client) => {
    if (state.refusing) {
      client.destroy();
      return;
    }
    state.accepted++;
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [[client, upstream] as const, [upstream, client] as const]) {
      keep(from);
      from.on('data', (bytes) => to.write(bytes));
      from.once('close', () => to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const local = typeof address === 'object' && address ? address.port : 0;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `https://127.0.0.1:${local}`,
    get open() {
      return sockets.size / 2;
    },
    get accepted() {
      return state.accepted;
    },
    cut,
    stall: () => {
      state.stalled = true;
      for (const socket of sockets) socket.pause();
    },
    resume: () => {
      state.stalled = false;
      for (const socket of sockets) socket.resume();
    },
    refuse: () => {
      state.refusing = true;
      cut();
    },
    accept: () => {
      state.refusing = false;
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
};
