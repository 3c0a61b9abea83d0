const SECOND_MS = 1000;

/** The largest body: the longest assertion and a filter of 1,000 ids fit. */
export const MAX_BODY_BYTES = 65_536;
/** A token may be as long as its claims allow, and comes in a header. */
export const MAX_HEADER_BYTES = 65_536;
/** From the first byte to an agreed key. */
export const HANDSHAKE_MS = 10 * SECOND_MS;
/** Until all headers, and until the whole request is in: who is slower is cut off. */
export const HEADERS_MS = 5 * SECOND_MS;
export const REQUEST_MS = 10 * SECOND_MS;
/** Longer than load balancers keep theirs, so that it is they who close. */
export const KEEP_ALIVE_MS = 75 * SECOND_MS;
/** How often Node looks for those that are late. */
export const CHECK_MS = SECOND_MS;
/** Connections at once; more are refused. */
export const MAX_CONNECTIONS = 4096;
/** How long a reader may leave a full stream alone. */
export const STALL_MS = 60 * SECOND_MS;
