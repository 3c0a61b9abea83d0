import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { BoundedMap } from '../../async/bounded-map.ts';
import type { FairKey } from '../../async/fair-queue.ts';
import { createFairTurns, type FairTurns } from '../../async/fair-turns.ts';
import { TokenBucket } from '../../async/token-bucket.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { LimitName } from '../../ports/metrics.ts';
import type { Connection } from '../listener/connection.ts';
import type { Listener } from '../listener/listener.ts';
import type { LoadLimits, TakeFor } from '../listener/load-limits.ts';
import type { Headers, Http2Gate } from './http2-server.ts';
import { hasTimedOut } from './timeout.ts';

export interface StreamGateOptions {
  readonly load: LoadLimits;
  readonly clock: MonotonicClock;
  readonly connectionOf: Listener['connectionOf'];
  /** Runs `work` in the next turn of the event loop, as `setImmediate` does. */
  readonly defer: (work: () => void) => void;
}

/**
 * Streams that a client may reset before they are answered (RFC 9113 §10.5, "rapid reset"): all calls of a connection at once, when
 * their deadline passes, and then so many per second.
 */
const RESETS = { burst: 300, refillMs: 20 };
/** Of all connections of an address on which no caller has authenticated yet, with requests that are rejected: one for each connection that it may have. */
const UNPROVEN_RESETS = { burst: 1024, refillMs: 20 };
/** Addresses whose resets are remembered. */
const MAX_ADDRESSES = 4096;
/** The time in which the connection preface must arrive, which ends with the client's SETTINGS (RFC 9113 §3.4). */
const PREFACE_MS = 10_000;
/** New connections that a flood on one of them costs its address. */
const FLOOD_COST = 50;

/** Milliseconds of a turn of the event loop in which calls of strangers may begin, each of which takes a fraction of one. */
const TURN_MS = 5;
/** More than there may be in progress: those that were reset while they waited are among them. */
const MAX_WAITING = 8192;

/** A session and what its client has done on it. */
interface Session {
  readonly connection: Connection;
  readonly resets: TokenBucket;
  /** For whom its calls wait. */
  readonly key: FairKey;
}

/** Answers a call without running anything for it. */
const refuse = (stream: ServerHttp2Stream, message: string): void => {
  if (stream.closed || stream.destroyed) return;
  const exhausted = {
    ':status': 200,
    'content-type': 'application/grpc+proto',
    'grpc-status': status.RESOURCE_EXHAUSTED,
    'grpc-message': message,
  };
  stream.respond(exhausted, { endStream: true });
};

const TOO_MANY_CALLS = 'too many calls are in progress';
const FULL = new Error(TOO_MANY_CALLS);

/** Streams that anyone may open and that last until their client ends them; limited apart from all others. */
interface Subscription {
  readonly take: TakeFor;
  readonly tooMany: string;
}

const subscriptionsOf = ({ watches, reflections }: LoadLimits): ReadonlyMap<unknown, Subscription> => {
  const reflection = { take: reflections, tooMany: 'cannot reflect: too many streams are open' };
  return new Map([
    [
      '/grpc.health.v1.Health/Watch',
      { take: watches, tooMany: 'cannot tell health: too many watches are open' },
    ],
    ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', reflection],
    ['/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', reflection],
  ]);
};

/** Whether the client has ended a stream that was not answered, with whatever error code. */
const wasReset = ({ aborted, rstCode }: ServerHttp2Stream): boolean =>
  aborted || rstCode !== constants.NGHTTP2_NO_ERROR;

/**
 * Counts the streams of each connection and limits them, in number and in how many are reset. A client that floods gets GOAWAY with
 * ENHANCE_YOUR_CALM (RFC 9113 §7).
 */
export class StreamGate implements Http2Gate {
  readonly #options: StreamGateOptions;
  readonly #sessions = new WeakMap<ServerHttp2Session, Session>();

  readonly #unprovenResets = new BoundedMap<string, TokenBucket>(MAX_ADDRESSES);
  readonly #subscriptions: ReadonlyMap<unknown, Subscription>;
  readonly #turns: FairTurns;
  #opened = 0;

  constructor(options: StreamGateOptions) {
    const { load, clock, defer } = options;
    this.#options = options;
    this.#subscriptions = subscriptionsOf(load);
    this.#turns = createFairTurns({
      budgetMs: TURN_MS,
      waiting: { total: MAX_WAITING, perGroup: MAX_WAITING },
      clock,
      defer,
      full: () => FULL,
    });
  }

  onSession(session: ServerHttp2Session): void {
    const connection = this.#options.connectionOf(session.socket);
    if (!connection) {
      session.destroy();
      return;
    }
    this.#opened += 1;
    const key = { group: connection.group, member: String(this.#opened) };
    const entry = { connection, resets: new TokenBucket(RESETS), key };
    this.#sessions.set(session, entry);
    // A stream that was reset at once no longer has its session.
    session.on('stream', (stream) => {
      if (!stream.session) this.#onReset(session, entry);
    });
    const cancel = this.#options.clock.after(PREFACE_MS, () => session.destroy());
    session.once('remoteSettings', cancel);
    session.once('close', cancel);
  }

  onStream(stream: ServerHttp2Stream, headers: Headers, serve: () => void): void {
    // grpc-js handles errors of a stream from when it serves the call. Before, one that its client causes would end the process.
    stream.on('error', () => undefined);
    const session = stream.session as ServerHttp2Session | undefined;
    const entry = session && this.#sessions.get(session);
    if (!session || !entry) {
      stream.destroy();
      return;
    }
    const { connection } = entry;
    const { streams, provenStreams } = this.#options.load;
    const release = (connection.isProven ? provenStreams : streams).take(connection);
    const subscription = this.#subscriptions.get(headers[':path']);
    const unsubscribe = release && subscription?.take(connection.address);
    const { clock } = this.#options;
    const [begunAt, timeout] = [clock.monotonic(), headers['grpc-timeout']];
    connection.begin();
    stream.once('close', () => {
      connection.end();
      release?.();
      unsubscribe?.();
      if (wasReset(stream) && !hasTimedOut(timeout, clock.monotonic() - begunAt))
        this.#onReset(session, entry);
    });
    if (!release) refuse(stream, TOO_MANY_CALLS);
    else if (subscription && !unsubscribe) refuse(stream, subscription.tooMany);
    else if (connection.isProven) serve();
    else void this.#serveInTurn(stream, entry, serve);
  }

  /** Of a burst of strangers' calls some begin in this turn of the event loop, the rest in later ones, each address in its turn. */
  async #serveInTurn(stream: ServerHttp2Stream, { key }: Session, serve: () => void): Promise<void> {
    try {
      await this.#turns.run(
        () => key,
        () => {
          if (!stream.closed && !stream.destroyed) serve();
        },
      );
    } catch (error) {
      if (error !== FULL) throw error;
      refuse(stream, TOO_MANY_CALLS);
    }
  }

  /** The connection on which a stream runs. */
  connectionOf(stream: ServerHttp2Stream): Connection | undefined {
    return stream.session && this.#sessions.get(stream.session as ServerHttp2Session)?.connection;
  }

  /** The request of a stream was rejected before it had arrived as a whole. */
  onRejected(stream: ServerHttp2Stream): void {
    const session = stream.session as ServerHttp2Session | undefined;
    const connection = this.connectionOf(stream);
    if (session && connection && this.#isFloodOfStrangers(connection)) {
      this.#end(session, connection, 'rejectedRequests');
    }
  }

  #unprovenResetsOf(group: string): TokenBucket {
    const known = this.#unprovenResets.get(group);
    if (known) return known;
    const bucket = new TokenBucket(UNPROVEN_RESETS);
    this.#unprovenResets.set(group, bucket);
    return bucket;
  }

  /** Whether an address has no more resets and rejected requests left, on connections without an authenticated caller. */
  #isFloodOfStrangers({ isProven, limitedGroup }: Connection): boolean {
    // Behind a trusted proxy there are many callers.
    if (isProven || limitedGroup === undefined) return false;
    return this.#unprovenResetsOf(limitedGroup).take(this.#options.clock.monotonic()) > 0;
  }

  #onReset(session: ServerHttp2Session, { connection, resets }: Session): void {
    if (session.destroyed) return;
    const isFlood = resets.take(this.#options.clock.monotonic()) > 0 || this.#isFloodOfStrangers(connection);
    if (isFlood) this.#end(session, connection, 'resets');
  }

  #end(session: ServerHttp2Session, connection: Connection, limit: LimitName): void {
    if (session.destroyed) return;
    const { connections, report } = this.#options.load;
    report('grpc', limit, 'shed');
    connections.penalize(connection.group, FLOOD_COST);
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  }
}
