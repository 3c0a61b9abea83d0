import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../ports/clock.ts';
import type { WatchContact } from '../ports/watch.ts';

interface Contact {
  readonly socket: Socket | TLSSocket;
  bytesRead: number;
  /** The last look at which it is sure to have answered; never later than the answer itself. */
  answeredAt: number;
  missedProbes: number;
}

const LOOK_MS = 1_000;
/** HTTP/2 pings go out every 3 s (see connection.ts): so many looks without a byte are several lost answers. */
const DEAD_AFTER_LOOKS = 12;

/**
 * Knows when each of a pool's connections last brought a byte, by looking at their counters every second, and cuts
 * an HTTP/2 connection that answers no ping: TCP alone would take minutes to notice. Counted in looks, so that an
 * event loop that hung does not count against the peer.
 */
export class ConnectionMonitor implements WatchContact {
  readonly #clock: Clock;
  readonly #monitor = new Set<Contact>();
  #cancel: (() => void) | undefined;
  #lookedAt: number;
  arePinged = false;
  lastAnswerAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lookedAt = clock.now();
  }

  /** A connection that has just been made. */
  track(socket: Socket | TLSSocket): void {
    const contact = {
      socket,
      bytesRead: socket.bytesRead,
      answeredAt: this.#clock.now(),
      missedProbes: 0,
    };
    this.#monitor.add(contact);
    this.arePinged = isHttp2(socket);
    socket.once('close', () => {
      this.#monitor.delete(contact);
      this.#note();
      if (this.#monitor.size === 0) this.stop();
    });
    this.#note();
    if (!this.#cancel) this.#arm();
  }

  /** Ends the looking; a new connection begins it again. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    this.#lookedAt = this.#clock.now();
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      for (const contact of this.#monitor) this.#look(contact);
      this.#note();
      if (this.#monitor.size > 0) this.#arm();
      else this.#cancel = undefined;
    });
  }

  /** Each positive answer to a request asks for it: it is noted at each look. */
  #note(): void {
    const answered = [...this.#monitor].map(({ answeredAt }) => answeredAt);
    this.lastAnswerAt = answered.length === 0 ? 0 : Math.min(...answered);
  }

  #look(contact: Contact): void {
    const { bytesRead } = contact.socket;
    if (bytesRead !== contact.bytesRead) {
      contact.bytesRead = bytesRead;
      contact.answeredAt = Math.max(contact.answeredAt, this.#lookedAt);
      contact.missedProbes = 0;
      return;
    }
    contact.missedProbes++;
    if (contact.missedProbes >= DEAD_AFTER_LOOKS && isHttp2(contact.socket)) {
      contact.socket.destroy(new Error('the API server answers no ping'));
    }
  }
}

const isHttp2 = (socket: Socket | TLSSocket): boolean =>
  'alpnProtocol' in socket && socket.alpnProtocol === 'h2';
