import type { Socket } from 'node:net';
import type { Exchange } from './exchange.ts';

/** A server's connections and the exchanges in progress on each, so that a drain closes idle connections and waits for the others. */
export class Connections {
  /** Connections that are ready for HTTP, with their exchanges. */
  readonly #exchanges = new Map<Socket, Set<Exchange>>();
  #isDraining = false;

  /** Whether new requests are rejected. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The connection is ready for HTTP. A TLS handshake may end after the server was closed: then it is destroyed. */
  secured(socket: Socket): void {
    if (this.#isDraining) {
      socket.destroy();
      return;
    }
    this.#exchanges.set(socket, new Set());
    socket.once('close', () => this.#exchanges.delete(socket));
  }

  begin(exchange: Exchange): void {
    this.#exchanges.get(exchange.socket)?.add(exchange);
    if (this.#isDraining) exchange.endConnection();
  }

  end(exchange: Exchange): void {
    const { socket } = exchange;
    const exchanges = this.#exchanges.get(socket);
    exchanges?.delete(exchange);
    if (this.#isDraining && exchanges?.size === 0) socket.destroySoon();
  }

  /** The exchanges in progress on a connection; undefined while its TLS handshake is not finished. */
  exchangesOn(socket: Socket): ReadonlySet<Exchange> | undefined {
    return this.#exchanges.get(socket);
  }

  /** A connection had no traffic for the stall timeout: destroys it, unless its client waits for an answer that is still being prepared. */
  timedOut(socket: Socket): void {
    const isWaiting = (this.#exchanges.get(socket)?.size ?? 0) > 0 && socket.writableLength === 0;
    if (!isWaiting) socket.destroy();
  }

  /** Closes idle connections now, and each other one when its last exchange has ended. */
  drain(): void {
    this.#isDraining = true;
    for (const [socket, exchanges] of this.#exchanges) {
      if (exchanges.size === 0) socket.destroy();
      for (const exchange of exchanges) exchange.endConnection();
    }
  }
}
