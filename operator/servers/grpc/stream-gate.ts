import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { BoundedMap } from '../../async/bounded-map.ts';
import { TokenBucket } from '../../async/token-bucket.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Connection } from '../listener/connection.ts';
import type { Listener } from '../listener/listener.ts';
import type { LoadLimits } from '../listener/load-limits.ts';
import type { Headers, Http2Gate } from './http2-server.ts';
import { hasTimedOut } from './timeout.ts';

export interface StreamGateOptions {
  readonly load: LoadLimits;
  readonly clock: MonotonicClock;
  readonly connectionOf: Listener['connectionOf'];
}

/**
 * Streams that a client may reset before they are answered (RFC 9113 §10.5, "rapid reset"): all calls of a connection at once, when
 * their deadline passes, and then so many per second.
 */
const RESETS = { burst: 300, refillMs: 20 };
/** Of all connections of an address on which no caller has authenticated yet: one for each connection that it may have. */
const UNPROVEN_RESETS = { burst: 1024, refillMs: 20 };
/** Addresses whose resets are remembered. */
const MAX_ADDRESSES = 4096;
/** The time in which the connection preface must arrive, which ends with the client's SETTINGS (RFC 9113 §3.4). */
const PREFACE_MS = 10_000;
/** New connections that a flood on one of them costs its address. */
const FLOOD_COST = 50;

/** A session and what its client has done on it. */
interface Session {
  readonly connection: Connection;
  readonly resets: TokenBucket;
}

const EXHAUSTED = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-status': status.RESOURCE_EXHAUSTED,
  'grpc-message': 'too many calls are in progress',
};

/** Answers a call without running anything for it. */
const refuse = (stream: ServerHttp2Stream): void => {
  stream.on('error', () => undefined);
  stream.respond(EXHAUSTED, { endStream: true });
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

  constructor(options: StreamGateOptions) {
    this.#options = options;
  }

  onSession(session: ServerHttp2Session): void {
    const connection = this.#options.connectionOf(session.socket);
    if (!connection) {
      session.destroy();
      return;
    }
    const entry = { connection, resets: new TokenBucket(RESETS) };
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
    const session = stream.session as ServerHttp2Session | undefined;
    const entry = session && this.#sessions.get(session);
    if (!session || !entry) {
      stream.destroy();
      return;
    }
    const { connection } = entry;
    const { streams, provenStreams } = this.#options.load;
    const release = (connection.isProven ? provenStreams : streams).take(connection);
    const { clock } = this.#options;
    const [begunAt, timeout] = [clock.monotonic(), headers['grpc-timeout']];
    connection.begin();
    stream.once('close', () => {
      connection.end();
      release?.();
      if (wasReset(stream) && !hasTimedOut(timeout, clock.monotonic() - begunAt))
        this.#onReset(session, entry);
    });
    if (release) serve();
    else refuse(stream);
  }

  /** The connection on which a stream runs. */
  connectionOf(stream: ServerHttp2Stream): Connection | undefined {
    return stream.session && this.#sessions.get(stream.session as ServerHttp2Session)?.connection;
  }

  #unprovenResetsOf(group: string): TokenBucket {
    const known = this.#unprovenResets.get(group);
    if (known) return known;
    const bucket = new TokenBucket(UNPROVEN_RESETS);
    this.#unprovenResets.set(group, bucket);
    return bucket;
  }

  /** Whether a connection, or its address, has no more resets left. */
  #isFlood({ connection, resets }: Session): boolean {
    const now = this.#options.clock.monotonic();
    if (resets.take(now) > 0) return true;
    const { isProven, limitedGroup } = connection;
    // Behind a trusted proxy there are many callers.
    return !isProven && limitedGroup !== undefined && this.#unprovenResetsOf(limitedGroup).take(now) > 0;
  }

  #onReset(session: ServerHttp2Session, entry: Session): void {
    if (session.destroyed || !this.#isFlood(entry)) return;
    const { connection } = entry;
    const { connections, report } = this.#options.load;
    report('grpc', 'resets', 'shed');
    connections.penalize(connection.group, FLOOD_COST);
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  }
}
