import { IssuerFailure } from '../issuer/failure.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Log, LogFields } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';

/** What the requests of a door share. */
export interface DoorTools {
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'httpRequest'>;
}

/** A request that has ended. */
export interface Ended {
  /** The route's path, or `unknown`: never the URL, which may hold anything. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly startedAt: number;
  readonly address: string;
  readonly successLevel: 'info' | 'debug';
  readonly notes: LogFields;
  readonly error?: unknown;
}

/** For the log alone: what an answer does not say. */
const whyOf = (error: unknown): LogFields => {
  if (error === undefined) return {};
  if (!(error instanceof IssuerFailure)) return { error };
  const { code, message, oauthCode, detail, cause } = error;
  return {
    failure: code,
    why: message,
    ...(oauthCode !== undefined && { reason: oauthCode }),
    ...(detail !== undefined && { detail }),
    ...(cause !== undefined && { error: cause }),
  };
};

const levelOf = ({ status, successLevel }: Ended): 'debug' | 'info' | 'warn' | 'error' => {
  if (status >= 500) return status === 500 ? 'error' : 'warn';
  if (status === 429) return 'warn';
  return status >= 400 ? 'info' : successLevel;
};

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH'];

/** Counts the request and writes its one line. */
export const noteEnd = ({ clock, log, metrics }: DoorTools, ended: Ended): void => {
  const { route, status, startedAt, address, notes, error } = ended;
  const method = METHODS.includes(ended.method) ? ended.method : 'other';
  const ms = clock.monotonic() - startedAt;
  metrics.httpRequest({ route, method, code: String(status) }, ms / 1000);
  log[levelOf(ended)]('HTTP request', {
    route,
    method,
    code: status,
    ms: Math.round(ms * 10) / 10,
    address,
    ...notes,
    ...whyOf(error),
  });
};
