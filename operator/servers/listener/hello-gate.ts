import type { Socket } from 'node:net';
import type { Clock } from '../../ports/clock.ts';
import { helloStateOf } from './client-hello.ts';
import type { Connection } from './connection.ts';
import type { HandshakeQueue } from './handshake-queue.ts';

export interface HelloGateOptions {
  readonly queue: HandshakeQueue;
  readonly clock: Clock;
  /** The time in which the ClientHello must arrive and its turn must come. */
  readonly handshakeMs: number;
  /** A connection is given up: why, for the log. */
  readonly onFailure: (code: string, connection: Connection) => void;
}

/** Pieces in which a ClientHello may arrive: it fits into one or two segments. */
const MAX_PIECES = 64;

/**
 * Holds back a connection until its ClientHello is there and the {@link HandshakeQueue} lets it begin its handshake; `begin` gets it
 * then, with what has been read put back. No other step of a handshake costs the server much.
 */
export const awaitHello = (
  socket: Socket,
  connection: Connection,
  { options, begin }: { readonly options: HelloGateOptions; readonly begin: () => void },
): void => {
  const { queue, clock, handshakeMs, onFailure } = options;
  let received = Buffer.alloc(0);
  let pieces = 0;
  let leaveQueue = (): void => undefined;
  const settle = (): void => {
    cancelTimer();
    socket.off('readable', onReadable);
    socket.off('close', onClose);
  };
  const onClose = (): void => {
    settle();
    leaveQueue();
  };
  const fail = (code: string): void => {
    onClose();
    onFailure(code, connection);
    socket.destroy();
  };
  const onReadable = (): void => {
    const piece: Buffer | null = socket.read();
    if (piece === null) return;
    received = Buffer.concat([received, piece]);
    pieces += 1;
    const state = helloStateOf(received);
    if (state === 'invalid' || (state === 'partial' && pieces === MAX_PIECES)) fail('ERR_NO_CLIENT_HELLO');
    if (state !== 'whole' || socket.destroyed) return;
    socket.off('readable', onReadable);
    socket.unshift(received);
    leaveQueue = queue.add(connection.group, () => {
      settle();
      begin();
    });
  };
  const cancelTimer = clock.after(handshakeMs, () => fail('ERR_TLS_HANDSHAKE_TIMEOUT'));
  socket.on('error', () => undefined);
  socket.on('end', () => socket.destroy());
  socket.on('close', onClose);
  socket.on('readable', onReadable);
};
