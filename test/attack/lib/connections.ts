import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { AttackContext } from './attacker.ts';
import { attackerAddress, HOST, type Listener } from './target.ts';
import { createTurns, type Turns } from './turns.ts';

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

/** What attacks with a connection. The signal aborts when the connection has ended. */
type UseConnection = (socket: Socket, signal: AbortSignal) => void;

/** A connection that was begun; `isReady`: whether it was established. */
interface Opened {
  readonly socket: Socket;
  readonly isReady: boolean;
  /** Resolves, with the error if there was one, when it has ended. */
  readonly closed: Promise<string | undefined>;
}

/** Resolves once a connection is established or has ended, whichever is first. */
const opened = async (socket: Socket, event: 'connect' | 'secureConnect'): Promise<Opened> => {
  let failure: string | undefined;
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message;
  });
  const closed = new Promise<string | undefined>((resolve) => socket.once('close', () => resolve(failure)));
  const timer = setTimeout(() => socket.destroy(new Error('no handshake')), PATIENCE_MS);
  const established = new Promise<true>((resolve) => socket.once(event, () => resolve(true)));
  const isReady = await Promise.race([established, closed.then(() => false)]);
  clearTimeout(timer);
  return { socket, isReady, closed };
};

/** Opens one connection when its turn has come, has `use` attack with it, and resolves when it has ended. */
const attackOnce = async (
  context: AttackContext,
  options: ConnectionOptions & { readonly opening: Turns },
  { at, use, onOpened }: { readonly at: number; readonly use: UseConnection; onOpened(): void },
): Promise<void> => {
  const { counter, signal } = context;
  const { endIsRefusal = true, opening, secure } = options;
  const { socket, isReady, closed } = await opening.run(async () => {
    counter.attempted();
    return opened(open(context, options, at), secure ? 'secureConnect' : 'connect');
  });
  const ended = new AbortController();
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  if (isReady) {
    counter.accepted();
    use(socket, ended.signal);
  }
  onOpened();
  const failure = await closed;
  ended.abort();
  signal.removeEventListener('abort', onAbort);
  if (!isReady || endIsRefusal) counter.refused(failure ?? 'connection closed');
};

/**
 * Keeps connections open and attacks with each: `use` gets it once it is established. A connection that has ended is opened again.
 * What arrives is read only if `use` does so; without that, the end of a connection shows at the next write.
 */
export const keepConnections = async (
  context: AttackContext,
  options: ConnectionOptions,
  use: UseConnection,
): Promise<void> => {
  const { signal } = context;
  const { connections, reopenMs = REOPEN_MS } = options;
  const opening = createTurns(OPENING);
  const keep = async (at: number): Promise<void> => {
    let onOpened = context.prepare();
    while (!signal.aborted) {
      await attackOnce(context, { ...options, opening }, { at, use, onOpened });
      onOpened = () => undefined;
      await pause(reopenMs);
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, at) => keep(at)));
};

/** Writes the same over and over until the connection ends. */
export const writeEvery = (
  everyMs: number,
  socket: Socket,
  { signal, bytes }: { readonly signal: AbortSignal; readonly bytes: Uint8Array },
): void => {
  const timer = setInterval(() => socket.write(bytes), everyMs);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
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
