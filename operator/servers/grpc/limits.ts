import type { ServerOptions } from '@grpc/grpc-js';
import type { Http2Limits } from './http2-server.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** A filter of 1,000 ids of 64 characters, each with its two bytes of tag and length, and some room. */
export const MAX_REQUEST_BYTES = 68 * 1024;

/** Limits for each connection. grpc-js varies the connection age by ±10 %, so that clients do not all reconnect at once. */
export const SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
  'grpc.max_concurrent_streams': 256,
  // Megabytes: what all streams of a connection may have queued to be sent, and the state of HTTP/2.
  'grpc-node.max_session_memory': 24,
  // Detects peers that disappeared without closing their connection.
  'grpc.keepalive_time_ms': MINUTE_MS,
  'grpc.keepalive_timeout_ms': 20 * SECOND_MS,
  'grpc.max_connection_idle_ms': 5 * MINUTE_MS,
  // Makes clients reconnect, so that load spreads to replicas that started later.
  'grpc.max_connection_age_ms': 30 * MINUTE_MS,
  'grpc.max_connection_age_grace_ms': 5 * MINUTE_MS,
  // The bookkeeping of a debugging service that is not served.
  'grpc.enable_channelz': 0,
};

/** Limits for each connection that grpc-js has no options for. */
export const HTTP2_LIMITS: Http2Limits = {
  // As at the HTTP server.
  settings: { maxHeaderListSize: 64 * 1024 },
  maxHeaderListPairs: 100,
  // Beyond the limits of stream-gate.ts, where nghttp2 closes a connection before anything runs for its streams.
  streamResetBurst: 500,
  streamResetRate: 50,
  maxSessionInvalidFrames: 100,
};
