import type { ServerOptions } from '@grpc/grpc-js';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** Several times a filter of 1,000 ids and the longest assertion. */
const MAX_REQUEST_BYTES = 512 * 1024;

/** Limits for each connection. grpc-js varies the connection age by ±10 %, so that clients do not all reconnect at once. */
export const SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
  'grpc.max_concurrent_streams': 256,
  // Detects peers that disappeared without closing their connection.
  'grpc.keepalive_time_ms': MINUTE_MS,
  'grpc.keepalive_timeout_ms': 20 * SECOND_MS,
  // Makes clients reconnect, so that load spreads to replicas that started later.
  'grpc.max_connection_age_ms': 30 * MINUTE_MS,
  'grpc.max_connection_age_grace_ms': 5 * MINUTE_MS,
  // The bookkeeping of a debugging service that is not served.
  'grpc.enable_channelz': 0,
};

/** Concurrent connections; more are rejected. */
export const MAX_CONNECTIONS = 4096;
