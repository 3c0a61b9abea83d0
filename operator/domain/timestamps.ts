/** Whole seconds since the Unix epoch, as RFC 3339 in UTC without a fraction: how every time in a status is written. */
export const formatTime = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/** Whole seconds since the Unix epoch of an RFC 3339 time, floored; NaN where the text is none. */
export const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);

/** Whole seconds of an instant in milliseconds, floored, as JWT NumericDates are made here (RFC 7519 §2). */
export const floorSeconds = (ms: number): number => Math.floor(ms / 1000);

/** 9999-12-31T23:59:59Z: the last second that RFC 3339 can write (§1: four digits of a year), since the Unix epoch. */
export const LAST_SECOND = 253_402_300_799;
