import { ApiError } from '../ports/kube.ts';

/** Three base64url parts of which the first two start as a JSON object does: a compact JWS (RFC 7515 §7.1). */
const JWT = /eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*/gu;
const PEM = /-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|$)/gu;
const BEARER = /\b(Bearer|Basic)\s+[\w.~+/=-]+/giu;

const MAX_DEPTH = 6;
const MAX_STRING = 2048;
const MAX_ENTRIES = 64;

/** What each of the three has in it: the texts of nearly all lines have none of them, and are done with after one look. */
const SUSPECT = /eyJ|-----BEGIN |bearer|basic/iu;

/** The text without anything that looks like a JWT, a PEM block or an Authorization header. The callers keep secrets out; this is the second lock. */
export const redactText = (text: string): string => {
  const bounded = text.length > MAX_STRING ? text.slice(0, MAX_STRING) : text;
  if (!SUSPECT.test(bounded)) return bounded;
  return bounded
    .replaceAll(PEM, '[redacted PEM]')
    .replaceAll(JWT, '[redacted JWT]')
    .replaceAll(BEARER, '$1 [redacted]');
};

const redactError = (error: Error, depth: number): Record<string, unknown> => ({
  name: error.name,
  message: redactText(error.message),
  ...(error instanceof ApiError ? { status: error.status, reason: error.reason } : {}),
  ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
  ...(error instanceof ApiError || error.stack === undefined ? {} : { stack: redactText(error.stack) }),
  ...(error.cause === undefined || depth >= MAX_DEPTH ? {} : { cause: redactValue(error.cause, depth + 1) }),
});

/** A copy of a log field that is safe to print: bounded in depth, width and length, errors reduced to name, message, status and code. */
export const redactValue = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return redactError(value, depth);
  if (depth >= MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item) => redactValue(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ENTRIES)
      .map(([key, inner]) => [key, redactValue(inner, depth + 1)]),
  );
};
