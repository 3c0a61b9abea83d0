import type { Socket } from 'node:net';
import type { Exchange } from './exchange.ts';

/** A server's connections and the exchanges under way on each: which are to be let go when the door stops, and which are not. */
export class Connections {
  /** TCP connections, TLS or not. */
  readonly #open = new Set<Socket>();
  /** What HTTP is spoken on. */
  readonly #underWay = new Map<Socket, Set<Exchange>>();
  #isDraining = false;

  /** Nothing new is begun. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** A TCP connection was made. */
  opened(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** HTTP may be spoken on it now. A TLS handshake may end after the last connection was taken. */
  secured(socket: Socket): void {
    if (this.#isDraining) {
      socket.destroy();
      return;
    }
    this.#underWay.set(socket, new Set());
    socket.once('close', () => this.#underWay.delete(socket));
  }

  begin(exchange: Exchange): void {
    this.#underWay.get(exchange.socket)?.add(exchange);
    if (this.#isDraining) exchange.endConnection();
  }

  end(exchange: Exchange): void {
    const { socket } = exchange;
    const exchanges = this.#underWay.get(socket);
    exchanges?.delete(exchange);
    if (this.#isDraining && exchanges?.size === 0) socket.destroySoon();
  }

  /** The exchanges of that connection that are not over; undefined where no HTTP is spoken yet. */
  underWay(socket: Socket): ReadonlySet<Exchange> | undefined {
    return this.#underWay.get(socket);
  }

  /** A connection on which nothing went for long: one that waits for its answer is left, an idle one or a reader that leaves its answer alone is cut off. */
  stalled(socket: Socket): void {
    const isWaiting = (this.#underWay.get(socket)?.size ?? 0) > 0 && socket.writableLength === 0;
    if (!isWaiting) socket.destroy();
  }

  /** Lets idle connections go, and each other as soon as its exchanges are over. */
  drain(): void {
    this.#isDraining = true;
    for (const [socket, exchanges] of this.#underWay) {
      if (exchanges.size === 0) socket.destroy();
      for (const exchange of exchanges) exchange.endConnection();
    }
  }

  /** Ends all of them at once. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
