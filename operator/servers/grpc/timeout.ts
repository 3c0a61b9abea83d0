const UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
const TIMEOUT = /^(\d{1,8})([HMSmun])$/u;

/** A call that was ended no earlier has used its place for as long as honest ones do, so that a flood of them is slow. */
const MIN_DEADLINE_MS = 900;
/** What of the deadline has passed by the server's clock, where the client's runs faster. */
const MIN_PASSED = 0.9;

/** The milliseconds of a `grpc-timeout` header (gRPC over HTTP/2, Timeout); undefined where it is none. */
const timeoutMsOf = (header: unknown): number | undefined => {
  const [, value, unit = ''] = (typeof header === 'string' && TIMEOUT.exec(header)) || [];
  const unitMs = UNITS_MS[unit];
  return unitMs === undefined ? undefined : Number(value) * unitMs;
};

/** The longest delay of a timer in Node, for which grpc-js sets one; it takes a longer deadline for one that is past. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_TIMEOUT = `${Math.floor(MAX_TIMEOUT_MS / 1000)}S`;
/** As grpc-js reads it: with more digits than the protocol allows, too. */
const SERVED_TIMEOUT = /^(\d+)\s*([HMSmun])$/u;

/** The `grpc-timeout` header with which grpc-js serves a call; no connection lasts as long as the longest one. */
export const servedTimeout = (header: unknown): unknown => {
  const [, value, unit = ''] = (typeof header === 'string' && SERVED_TIMEOUT.exec(header)) || [];
  const unitMs = UNITS_MS[unit];
  return unitMs !== undefined && Number(value) * unitMs > MAX_TIMEOUT_MS ? MAX_TIMEOUT : header;
};

/** Whether a call has lasted for as long as its client wanted to wait, by its `grpc-timeout`, and for 0.9 s at least. */
export const hasTimedOut = (header: unknown, lastedMs: number): boolean => {
  if (lastedMs < MIN_DEADLINE_MS) return false;
  const timeoutMs = timeoutMsOf(header);
  return timeoutMs !== undefined && lastedMs >= MIN_PASSED * timeoutMs;
};
