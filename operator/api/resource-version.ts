const DECIMAL = /^(?:0|[1-9][0-9]*)$/u;

/**
 * Compares two resourceVersions of one resource type: negative if `a` is older, 0 if they are equal, positive if `a` is newer. They are
 * decimal numbers of any length (KEP-5504, comparable resource versions); undefined if one of them is not.
 */
export const compareResourceVersions = (a: string, b: string): number | undefined => {
  if (a === b) return 0;
  if (!DECIMAL.test(a) || !DECIMAL.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
};

/** False also where they can't be compared. */
export const isOlder = (a: string, b: string): boolean => (compareResourceVersions(a, b) ?? 0) < 0;
