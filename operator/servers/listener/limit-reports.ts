import type { MonotonicClock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { LimitAction, LimitName, Metrics, ServerName } from '../../ports/metrics.ts';

export interface LimitReportsOptions {
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'limited'>;
}

/** Reports that a limit of a server had an effect. */
export type ReportLimit = (server: ServerName, limit: LimitName, action: LimitAction) => void;

/** The shortest time between two log lines on the same limit: an attack must not fill the log. */
const LOG_INTERVAL_MS = 10_000;

interface Reported {
  count: number;
  loggedAt: number;
}

/** Makes {@link ReportLimit}: counts each event, and logs the first at once and then their number, at most once in 10 s for each limit. */
export const createLimitReports = ({ clock, log, metrics }: LimitReportsOptions): ReportLimit => {
  const reported = new Map<string, Reported>();
  return (server, limit, action) => {
    metrics.limited(server, limit, action);
    const key = `${server}/${limit}/${action}`;
    const now = clock.monotonic();
    const entry = reported.get(key) ?? { count: 0, loggedAt: Number.NEGATIVE_INFINITY };
    reported.set(key, entry);
    entry.count += 1;
    if (now - entry.loggedAt < LOG_INTERVAL_MS) return;
    log.warn('a limit of a server is reached', { server, limit, action, count: entry.count });
    entry.count = 0;
    entry.loggedAt = now;
  };
};
