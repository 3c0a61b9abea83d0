const DECIMAL = /^(?:0|[1-9][0-9]*)$/u;

/**
 * Compares two resourceVersions of one resource type: negative where `a` is older, 0 where equal, positive where newer.
 * They are decimal numbers of any length that grow (KEP-5504, comparable resource versions); undefined where one is not.
 */
export const compareResourceVersions = (a: string, b: string): number | undefined => {
  if (a === b) return 0;
  if (!DECIMAL.test(a) || !DECIMAL.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
};

/** True where `a` is known to be older than `b`. */
export const isOlder = (a: string, b: string): boolean => (compareResourceVersions(a, b) ?? 0) < 0;
