const SECOND_MS = 1000;

/** The largest body: larger than the longest assertion, or the longest token that fits into a header. */
export const MAX_BODY_BYTES = 65_536;
/** More header fields than clients and proxies send. */
export const MAX_HEADER_FIELDS = 100;

/** Requests on a connection that wait for the response to the one before (RFC 9112 §9.3.2): no client in use sends as many. */
export const MAX_PIPELINED = 4;

/** Limits of a listener, for each connection and in total. */
export interface ListenerLimits {
  /** Room for a long token in a header, and for a filter of 1,000 ids in the URL. */
  readonly maxHeaderBytes: number;
  /** The longest TLS handshake. */
  readonly handshakeMs: number;
  /** The time in which all headers must arrive, counted from the start of the connection or the request. */
  readonly headersMs: number;
  /** The time in which the whole request must arrive. */
  readonly requestMs: number;
  /** Interval at which Node checks these times. */
  readonly checkMs: number;
  /** How long a connection may be idle: longer than load balancers keep theirs, so that they are the ones to close it. */
  readonly keepAliveMs: number;
  /** How long a client may stop reading its answer. */
  readonly stallMs: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  maxHeaderBytes: 65_536,
  handshakeMs: 10 * SECOND_MS,
  headersMs: 5 * SECOND_MS,
  requestMs: 10 * SECOND_MS,
  checkMs: SECOND_MS,
  keepAliveMs: 75 * SECOND_MS,
  stallMs: 60 * SECOND_MS,
};
