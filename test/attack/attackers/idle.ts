import { preface } from '../../support/http2-frames.ts';
import type { Attacker } from '../lib/attacker.ts';
import { type ConnectionOptions, keepConnections } from '../lib/connections.ts';

/** Connections that send nothing; over HTTP/2 they begin as clients do. */
export const idle =
  (options: ConnectionOptions): Attacker =>
  (context) =>
    keepConnections(context, options, (socket) => {
      socket.resume();
      if (options.secure && options.port === 'grpc') socket.write(preface());
    });

/** Several attackers at once. */
export const together =
  (...attackers: readonly Attacker[]): Attacker =>
  async (context) =>
    void (await Promise.all(attackers.map((attack) => attack(context))));
