import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { AttackContext } from './attacker.ts';
import { attackerAddress, HOST, type Listener } from './target.ts';

/** Connections to one listener. */
export interface ConnectionOptions {
  readonly port: Listener;
  /** Whether the TLS handshake is made; without it the connection is plain TCP. */
  readonly secure: boolean;
  /** How many are open at a time; each that ends is replaced. */
  readonly connections: number;
  /** Over how many addresses they are spread; 1 unless given. */
  readonly addresses?: number;
  /** Whether a connection that the operator closes counts as refused; true unless given. */
  readonly endIsRefusal?: boolean;
  /** How soon a connection that has ended is replaced; {@link REOPEN_MS} unless given. */
  readonly reopenMs?: number;
}

/** Shared: a connection takes several times the memory with one of its own. */
export const secureContext = createSecureContext();

/** Handshakes of an attacker under way at a time. */
const OPENING = 32;
const REOPEN_MS = 100;
const PATIENCE_MS = 20_000;

const open = (
  { target }: AttackContext,
  { port, secure, addresses = 1 }: ConnectionOptions,
  at: number,
): Socket => {
  const to = { host: HOST, port: target.ports[port], localAddress: attackerAddress(at % addresses) };
  if (!secure) return connect(to);
  const ALPNProtocols = port === 'grpc' ? ['h2'] : ['http/1.1'];
  return connectTls({ ...to, ALPNProtocols, secureContext, rejectUnauthorized: false });
};

/** Resolves once a connection is ready or has ended, whichever is first. */
const settled = (socket: Socket, event: 'connect' | 'secureConnect'): Promise<boolean> =>
  new Promise((resolve) => {
    socket.once(event, () => resolve(true));
    socket.once('close', () => resolve(false));
  });

/** Opens one connection, has `use` attack with it, and resolves when it has ended. */
const attackOnce = async (
  context: AttackContext,
  options: ConnectionOptions & { readonly opening: Turns },
  { at, use }: { readonly at: number; readonly use: (socket: Socket, signal: AbortSignal) => void },
): Promise<void> => {
  const { counter, signal } = context;
  const ended = new AbortController();
  const release = await options.opening.take();
  counter.attempted();
  const socket = open(context, options, at);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let failure: string | undefined;
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message;
  });
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  socket.setTimeout(PATIENCE_MS, () => {
    if (!isReady) socket.destroy(new Error('no handshake'));
  });
  const isReady = await settled(socket, options.secure ? 'secureConnect' : 'connect');
  release();
  if (isReady) {
    counter.accepted();
    use(socket, ended.signal);
  }
  await closed;
  ended.abort();
  signal.removeEventListener('abort', onAbort);
  if (signal.aborted) return;
  if (!isReady || (options.endIsRefusal ?? true)) counter.refused(failure ?? 'connection closed');
};

/** Turns of a limited number of places. */
interface Turns {
  take(): Promise<() => void>;
}

const turnsOf = (places: number): Turns => {
  let free = places;
  const waiting: (() => void)[] = [];
  const release = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  return {
    take: async () => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      return release;
    },
  };
};

/**
 * Keeps connections open and attacks with each: `use` gets it once it is established, with a signal that aborts when it has ended.
 * A connection that has ended is opened again. What is unread is read and dropped only if `use` does so.
 */
export const keepConnections = async (
  context: AttackContext,
  options: ConnectionOptions,
  use: (socket: Socket, signal: AbortSignal) => void,
): Promise<void> => {
  const opening = turnsOf(OPENING);
  const keep = async (at: number): Promise<void> => {
    while (!context.signal.aborted) {
      await attackOnce(context, { ...options, opening }, { at, use });
      await pause(options.reopenMs ?? REOPEN_MS, undefined, { signal: context.signal }).catch(
        () => undefined,
      );
    }
  };
  await Promise.all(Array.from({ length: options.connections }, (_, at) => keep(at)));
};

/** Writes as fast as the other side takes it, until the connection ends; `next` gives what comes next, or undefined at the end. */
export const writeOn = (socket: Socket, signal: AbortSignal, next: () => Uint8Array | undefined): void => {
  const write = (): void => {
    while (!signal.aborted && socket.writable) {
      const bytes = next();
      if (bytes === undefined || !socket.write(bytes)) return;
    }
  };
  socket.on('drain', write);
  write();
};
