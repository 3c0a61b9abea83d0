/** The longest path in a message. */
const MAX_SHOWN = 64;

/** The largest integer up to which all integers are exact (RFC 7493 §2.2). */
export const LARGEST_EXACT = Number.MAX_SAFE_INTEGER;

/**
 * Whether a number that was read from JSON is the one that was written there. Beyond {@link LARGEST_EXACT} nobody can know: its last digits
 * may have been lost. A fraction is the nearest double (RFC 8259 §6).
 */
const isExact = (value: number): boolean =>
  Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));

const find = (value: unknown, path: string): string | undefined => {
  if (typeof value === 'number') return isExact(value) ? undefined : path;
  if (typeof value !== 'object' || value === null) return undefined;
  const isList = Array.isArray(value);
  for (const [name, member] of Object.entries(value)) {
    const found = find(member, isList ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
};

/**
 * Where claims have a number whose digits may have been lost when it was read from JSON, quoted for a message, such as `"tenant.ids[0]"`;
 * undefined if nowhere. Recursive: the caller limits size or depth.
 */
export const findInexactNumber = (claims: Readonly<Record<string, unknown>>): string | undefined => {
  const path = find(claims, '');
  if (path === undefined) return undefined;
  return JSON.stringify(path.length <= MAX_SHOWN ? path : `${path.slice(0, MAX_SHOWN - 1)}…`);
};
