import type { ServerOptions } from '@grpc/grpc-js';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** A filter of 1,000 ids and the longest assertion fit several times. */
const MAX_REQUEST_BYTES = 512 * 1024;

/** What one client or one connection may take of the door. grpc-js varies the connection age by ±10 %, so that clients do not all come back at once. */
export const SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
  'grpc.max_concurrent_streams': 256,
  // A connection whose other end is gone without a word is closed after these.
  'grpc.keepalive_time_ms': MINUTE_MS,
  'grpc.keepalive_timeout_ms': 20 * SECOND_MS,
  // So that a Service's load spreads over replicas that came later.
  'grpc.max_connection_age_ms': 30 * MINUTE_MS,
  'grpc.max_connection_age_grace_ms': 5 * MINUTE_MS,
  // Bookkeeping for a debugging service that is not offered.
  'grpc.enable_channelz': 0,
};

/** Connections at once; more are refused. */
export const MAX_CONNECTIONS = 4096;
