import { type DestinationStream, type Logger, pino } from 'pino';
import type { Log, LogFields } from '../ports/log.ts';
import { redactText, redactValue } from './redact.ts';

/** A log that writes some lines at a time. */
export interface BufferedLog extends Log {
  /**
   * Resolves when every line is written or the reader is gone, after a second at the latest. To be awaited before the process
   * ends: what is left then is written by sonic-boom's hook, which retries a broken pipe without end.
   */
  flush(): Promise<void>;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/**
 * Lines are written some at a time, at the latest after 50 ms and at the exit of the process: a write for each line costs as much as
 * the signature of a token. If they are not read, lines beyond the bound are dropped.
 */
const STDOUT = { fd: 1, sync: false, minLength: 8192, maxLength: 4 * 1024 * 1024, periodicFlush: 50 };

const FLUSH_MS = 1000;

/** Nothing is made ready for a line that is not written. */
const writer =
  (logger: Logger, level: 'debug' | 'info' | 'warn' | 'error') =>
  (message: string, fields?: LogFields): void => {
    if (logger.isLevelEnabled(level)) logger[level](fields ?? {}, redactText(message));
  };

const wrap = (logger: Logger): Log => ({
  debug: writer(logger, 'debug'),
  info: writer(logger, 'info'),
  warn: writer(logger, 'warn'),
  error: writer(logger, 'error'),
  child: (fields) => wrap(logger.child(redactValue(fields) as LogFields)),
});

const flush = (logger: Logger): Promise<void> =>
  new Promise((resolve) => {
    const late = setTimeout(resolve, FLUSH_MS);
    logger.flush(() => {
      clearTimeout(late);
      resolve();
    });
  });

/**
 * JSON lines on `destination` (stdout unless given): `time` in RFC 3339, `level` as a word, `message`, and the fields,
 * each passed through {@link redactValue}.
 */
export const createLog = (level: LogLevel, destination?: DestinationStream): BufferedLog => {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redactValue(fields) as Record<string, unknown>,
      },
    },
    destination ?? pino.destination(STDOUT),
  );
  return { ...wrap(logger), flush: () => flush(logger) };
};
