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

/** Whether a call has lasted for as long as its client wanted to wait, by its `grpc-timeout`, and for 0.9 s at least. */
export const hasTimedOut = (header: unknown, lastedMs: number): boolean => {
  if (lastedMs < MIN_DEADLINE_MS) return false;
  const timeoutMs = timeoutMsOf(header);
  return timeoutMs !== undefined && lastedMs >= MIN_PASSED * timeoutMs;
};
