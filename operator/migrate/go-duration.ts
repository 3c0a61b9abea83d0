const NANOSECONDS_A_SECOND = 1_000_000_000;

/**
 * A Go duration as text: `1h30m` stays as it is; a number is nanoseconds, as Go's YAML takes it.
 * @throws RangeError for a number that is no whole, positive count
 */
export const formatDuration = (value: string | number): string => {
  if (typeof value === 'string') return value;
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no duration`);
  return value % NANOSECONDS_A_SECOND === 0 ? `${value / NANOSECONDS_A_SECOND}s` : `${value}ns`;
};
