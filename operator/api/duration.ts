/** The syntax of a non-negative Go duration as the CRDs accept it (`1h30m`, `90s`, `0s`); Go's `time.ParseDuration` knows more. */
export const DURATION_PATTERN = '^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$';

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** Milliseconds of a Go duration string, or undefined where it is none. */
export const parseDurationMs = (text: string): number | undefined => {
  if (!new RegExp(DURATION_PATTERN, 'u').test(text)) return undefined;
  let total = 0;
  for (const [, value, unit] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)/gu)) {
    total += Number(value) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  }
  return total;
};

/** Milliseconds of a duration that the API server has validated; throws a RangeError on any other text. */
export const durationMs = (text: string): number => {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new RangeError(`not a duration: ${JSON.stringify(text)}`);
  return ms;
};
