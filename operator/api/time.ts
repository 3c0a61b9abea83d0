import { z } from 'zod';
import { type CelRule, celText, validations } from './cel-rule.ts';

const SYNTAX =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/u;

/** A point in time of a status (RFC 3339); its format `date-time` is checked by the API server. */
export const time = (description: string) =>
  z
    .string()
    .max(64)
    .meta({
      format: 'date-time',
      description: `${description} An RFC 3339 time such as 2030-01-31T12:00:00Z.`,
    });

/**
 * A point in time that users give. A pattern too, since Kubernetes' `date-time` takes texts that nobody else can read
 * (`00:00:00x5Z`); no rule, since CEL sees a field of that format as a time and no longer as a text.
 */
export const givenTime = (description: string) => time(description).regex(SYNTAX);

const FRACTION = '(?:\\.[0-9]{1,9})?';
const HOURS = `[0-9]{1,6}${FRACTION}h`;
const LESS = `(?:[0-9]{1,6}${FRACTION}m|[0-9]{1,8}${FRACTION}s|[0-9]{1,11}${FRACTION}ms|[0-9]{1,14}${FRACTION}(?:us|µs)|[0-9]{1,17}ns)`;

/**
 * The syntax of a non-negative Go duration as the CRDs accept it (`1h30m`, `90s`, `0s`); Go's `time.ParseDuration` knows more.
 * The digits are limited (no more than three years in each part but the hours) so that no text can overflow the 64-bit
 * nanoseconds of Go and CEL.
 */
const DURATION_PATTERN = `^(?:${LESS}){0,5}(?:${HOURS})?(?:${LESS}){0,5}$`;

/** The longest duration: about a hundred years. */
const LONGEST = '876000h';
const LONGEST_MS = 876_000 * 3_600_000;
const DURATION_SYNTAX = new RegExp(DURATION_PATTERN, 'u');

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** Milliseconds of a Go duration string, or undefined where it is none, or longer than 876000h. */
export const parseDurationMs = (text: string): number | undefined => {
  if (text === '' || !DURATION_SYNTAX.test(text)) return undefined;
  let total = 0;
  for (const [, value, unit] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)/gu)) {
    total += Number(value) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  }
  return total <= LONGEST_MS ? total : undefined;
};

/** Milliseconds of a duration that the API server has validated; throws a RangeError on any other text. */
export const durationMs = (text: string): number => {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new RangeError(`not a duration: ${JSON.stringify(text)}`);
  return ms;
};

/** The pattern takes an empty text too: RE2 has no lookahead to tell. */
const isSyntax = (value: string): string =>
  `(${value} != '' && ${value}.matches(${celText(DURATION_PATTERN)}))`;

/** CEL for "a condition on durations holds", true as well where one of `values` is none: that is its own rule's to say. */
export const celWithDurations = (values: readonly string[], condition: string): string =>
  `${values.map((value) => `!${isSyntax(value)}`).join(' || ')} || ${condition}`;

/** What a duration means, and the rules it has beside being one; `path` is its place in the object. */
export interface DurationField {
  readonly path: string;
  readonly description: string;
  readonly rules?: readonly CelRule[];
}

/** A duration field of a CRD: a text that {@link durationMs} takes. */
export const duration = ({ path, description, rules = [] }: DurationField) =>
  z
    .string()
    .max(64)
    .meta({
      description: `${description} A duration such as 1h30m or 90s (units h, m, s, ms, us, ns), at most ${LONGEST}.`,
      ...validations(
        {
          rule: `${isSyntax('self')} && duration(self) <= duration('${LONGEST}')`,
          message: `${path} must be a duration such as 1h30m or 90s, not negative and at most ${LONGEST}`,
        },
        ...rules,
      ),
    });

/** A rule for {@link duration}: at least `least`. */
export const atLeast = (path: string, least: string): CelRule => ({
  rule: celWithDurations(['self'], `duration(self) >= duration('${least}')`),
  message: `${path} must be at least ${least}`,
});

/** A rule for {@link duration}: `0s`, or at least `least`. */
export const zeroOrAtLeast = (path: string, least: string): CelRule => ({
  rule: celWithDurations(
    ['self'],
    `duration(self) == duration('0s') || duration(self) >= duration('${least}')`,
  ),
  message: `${path} must be 0s or at least ${least}`,
});

/** Whole seconds since the Unix epoch, as RFC 3339 in UTC without a fraction: how every time in a status is written. */
export const formatTime = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/** Whole seconds since the Unix epoch of an RFC 3339 time, floored; NaN where the text is none. */
export const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);

/** Whole seconds of an instant in milliseconds, floored, as JWT NumericDates are made here (RFC 7519 §2). */
export const floorSeconds = (ms: number): number => Math.floor(ms / 1000);

/** 9999-12-31T23:59:59Z: the last second that RFC 3339 can write (§1: four digits of a year), since the Unix epoch. */
export const LAST_SECOND = 253_402_300_799;
