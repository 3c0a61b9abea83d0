import type { Log, LogFields } from '../../operator/ports/log.ts';
import type { Metrics } from '../../operator/ports/metrics.ts';

export interface LoggedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that keeps its lines for the test. */
export interface RecordedLog extends Log {
  readonly lines: LoggedLine[];
}

/** Writes nothing, remembers everything. */
export const recordedLog = (lines: LoggedLine[] = [], inherited: LogFields = {}): RecordedLog => {
  const write =
    (level: LoggedLine['level']) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields: { ...inherited, ...fields } });
    };
  return {
    lines,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => recordedLog(lines, { ...inherited, ...fields }),
  };
};

/** What was reported, in order: the method's name and its arguments. */
export interface RecordedMetrics extends Metrics {
  readonly calls: [keyof Metrics, ...unknown[]][];
}

/** Metrics that a test can read back. */
export const recordedMetrics = (): RecordedMetrics => {
  const calls: RecordedMetrics['calls'] = [];
  const note =
    (name: keyof Metrics) =>
    (...values: unknown[]) => {
      calls.push([name, ...values]);
    };
  return {
    calls,
    reconciled: note('reconciled'),
    queueDepth: note('queueDepth'),
    queueWaited: note('queueWaited'),
    tokenIssued: note('tokenIssued'),
    tokenRequestRejected: note('tokenRequestRejected'),
    tokenBlacklisted: note('tokenBlacklisted'),
    tokenCollected: note('tokenCollected'),
    signed: note('signed'),
    apiRequest: note('apiRequest'),
    watchRestarted: note('watchRestarted'),
    eventDropped: note('eventDropped'),
    leading: note('leading'),
    clockSkew: note('clockSkew'),
    grpcCall: note('grpcCall'),
    httpRequest: note('httpRequest'),
    limited: note('limited'),
    tokenIssuedOnDemand: note('tokenIssuedOnDemand'),
    authenticationFailed: note('authenticationFailed'),
    requestDropped: note('requestDropped'),
    jwtValidated: note('jwtValidated'),
    revocationSeen: note('revocationSeen'),
    recordsCollected: note('recordsCollected'),
  };
};
