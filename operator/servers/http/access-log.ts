import { whyOf } from '../../issuer/failure.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Log, LogFields } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { HttpFailure } from './http-failure.ts';

/** What the requests of a door share. */
export interface HttpCallDeps {
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'httpRequest'>;
}

/** A request that has ended. */
export interface Ended {
  /** The path of its route, or `unknown`: never the URL, which may hold anything. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly ms: number;
  readonly address: string | undefined;
  readonly successLevel: 'info' | 'debug';
  readonly notes?: LogFields;
  /** Undefined where it went well, or the status says it all. */
  readonly failure?: unknown;
}

/** The caller went away before it was answered, or was cut off: nginx's word, there is no standard one. */
export const CALLER_GONE = 499;

/** For the log alone: what an answer does not say. A refusal by HTTP itself is all in the status. */
const reasonOf = (failure: unknown): LogFields =>
  failure === undefined || failure instanceof HttpFailure ? {} : whyOf(failure);

const levelOf = ({ status, successLevel }: Ended): 'debug' | 'info' | 'warn' | 'error' => {
  if (status >= 500) return status === 500 ? 'error' : 'warn';
  if (status === 429) return 'warn';
  return status >= 400 ? 'info' : successLevel;
};

/** A method is the caller's word as much as a path. */
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH'];

/** Counts a request and writes its one line. */
export const noteEnd = ({ log, metrics }: Omit<HttpCallDeps, 'clock'>, ended: Ended): void => {
  const { route, status, ms, address, notes, failure } = ended;
  const method = METHODS.includes(ended.method) ? ended.method : 'other';
  metrics.httpRequest({ route, method, code: String(status) }, ms / 1000);
  log[levelOf(ended)]('HTTP request', {
    route,
    method,
    code: status,
    ms: Math.round(ms * 10) / 10,
    address,
    ...notes,
    ...reasonOf(failure),
  });
};
