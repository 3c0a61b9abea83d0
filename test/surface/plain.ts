/** Keys of human-readable text in OpenAPI, JSON Schema, CEL rules, alerts and Grafana panels. */
const TEXTS = new Set(['description', 'message', 'messageExpression', 'title', 'summary', '$comment']);

/** Annotations that are derived from other content: a changed comment changes them. */
const DERIVED = /^(checksum\/|m2moauth\.dev\/crd-revision$)/u;

/** Whether a member is human-readable text or derived. A schema's property of such a name is an object, and stays. */
const isText = (key: string, value: unknown): boolean =>
  (TEXTS.has(key) && typeof value === 'string') || DERIVED.test(key);

/** A script, such as that of `helm test`, without lines that are comments. */
const withoutComments = (text: string): string => text.replaceAll(/^\s*\/\/.*\n/gmu, '');

/**
 * Removes human-readable text, and the comments of scripts, from a parsed document, and sorts the keys of its objects.
 * @param parseText parses a string that is itself a document, such as a file in a ConfigMap; undefined for any other
 */
export const withoutTexts = (
  value: unknown,
  parseText: (key: string, text: string) => unknown = () => undefined,
): unknown => {
  if (Array.isArray(value)) return value.map((item) => withoutTexts(item, parseText));
  if (typeof value === 'string') return withoutComments(value);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([key, inner]) => !isText(key, inner));
  return Object.fromEntries(
    members
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => {
        const document = typeof inner === 'string' ? parseText(key, inner) : undefined;
        return [key, withoutTexts(document ?? inner, parseText)];
      }),
  );
};
