import type { Socket } from 'node:net';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { ServerName } from '../../ports/metrics.ts';

export interface ConnectionOptions {
  readonly server: ServerName;
  /** The peer's address. */
  readonly address: string;
  /** Whose share it has. */
  readonly group: string;
  /** Whose limits it counts against; undefined for a trusted proxy, behind which there are many callers. */
  readonly limitedGroup: string | undefined;
  readonly clock: MonotonicClock;
  readonly onProven: () => void;
}

/** A connection to a server, from its acceptance to its end, as limits see it. */
export class Connection {
  readonly server: ServerName;
  readonly address: string;
  readonly group: string;
  readonly limitedGroup: string | undefined;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  #requests = 0;
  #idleSince: number;
  #isProven = false;
  #isOpen = true;
  #heldBytes = 0;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.server = options.server;
    this.address = options.address;
    this.group = options.group;
    this.limitedGroup = options.limitedGroup;
    this.#idleSince = options.clock.monotonic();
  }

  /** Requests in progress. */
  get requests(): number {
    return this.#requests;
  }

  /** When the last request ended, or the connection was accepted; of no meaning while there are requests. */
  get idleSince(): number {
    return this.#idleSince;
  }

  /** Whether a caller has authenticated on it. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** False once a limit or its peer has closed it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Bytes that are kept for its peer (`byte-budget.ts`). */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Keeps so many bytes more, or fewer. Returns the difference, which is 0 once it is closed. */
  hold(bytes: number): number {
    if (!this.#isOpen) return 0;
    this.#heldBytes += bytes;
    return bytes;
  }

  /** It is closed and keeps nothing more. Returns what it kept. */
  releaseAll(): number {
    this.#isOpen = false;
    const bytes = this.#heldBytes;
    this.#heldBytes = 0;
    return bytes;
  }

  begin(): void {
    this.#requests += 1;
  }

  end(): void {
    this.#requests -= 1;
    if (this.#requests === 0) this.#idleSince = this.#options.clock.monotonic();
  }

  /** A request has succeeded that needs credentials. */
  prove(): void {
    if (this.#isProven) return;
    this.#isProven = true;
    this.#options.onProven();
  }

  /** Ends it at once, with everything that runs on it. */
  destroy(): void {
    this.#socket.destroy();
  }
}
