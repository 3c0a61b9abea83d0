const NANOSECONDS_A_SECOND = 1_000_000_000n;

/** A Go duration as text: `1h30m` stays as it is; an integer is nanoseconds, as Go's YAML takes it. */
export const formatDuration = (value: string): string => {
  if (!/^\d+$/u.test(value)) return value;
  const nanoseconds = BigInt(value);
  return nanoseconds % NANOSECONDS_A_SECOND === 0n
    ? `${nanoseconds / NANOSECONDS_A_SECOND}s`
    : `${nanoseconds}ns`;
};
