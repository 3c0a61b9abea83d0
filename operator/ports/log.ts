/** Names and numbers only: never a JWT, a secret, a key or a body (invariant 5). */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log; an implementation redacts `Error` causes to class, status and reason. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every line carries these fields as well. */
  child(fields: LogFields): Log;
}
