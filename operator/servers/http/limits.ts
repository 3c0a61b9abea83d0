const SECOND_MS = 1000;

/** The largest body: the longest assertion and the longest token that a header can hold fit. */
export const MAX_BODY_BYTES = 65_536;
/** More header fields than any client or proxy sends. */
export const MAX_HEADER_FIELDS = 100;

/** What one connection may take of the door. */
export interface ListenerLimits {
  /** A token may be as long as its claims allow, and comes in a header; a filter of 1,000 ids in the URL. */
  readonly maxHeaderBytes: number;
  /** From the first byte to an agreed key. */
  readonly handshakeMs: number;
  /** Until all headers are in, from the connection's start or the request's; who is slower is cut off. */
  readonly headersMs: number;
  /** Until the whole request is in. */
  readonly requestMs: number;
  /** How often Node looks for those that are late. */
  readonly checkMs: number;
  /** How long a connection may be idle: longer than load balancers leave theirs, so that it is they who close. */
  readonly keepAliveMs: number;
  /** How long a reader may leave an answer alone that waits for it. */
  readonly stallMs: number;
  /** Connections at once; more are refused. */
  readonly maxConnections: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  maxHeaderBytes: 65_536,
  handshakeMs: 10 * SECOND_MS,
  headersMs: 5 * SECOND_MS,
  requestMs: 10 * SECOND_MS,
  checkMs: SECOND_MS,
  keepAliveMs: 75 * SECOND_MS,
  stallMs: 60 * SECOND_MS,
  maxConnections: 4096,
};
