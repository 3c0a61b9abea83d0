/** Keys whose text is for people alone: OpenAPI and JSON Schema, CEL rules, alerts, Grafana panels. */
const TEXTS = new Set(['description', 'message', 'messageExpression', 'title', 'summary', '$comment']);

/** Annotations that follow from the rest: they differ where a comment does. */
const DERIVED = /^(checksum\/|m2moauth\.dev\/crd-revision$)/u;

/** Whether a member is text for people; a property of a schema that has such a name is an object, and stays. */
const isText = (key: string, value: unknown): boolean =>
  (TEXTS.has(key) && typeof value === 'string') || DERIVED.test(key);

/**
 * A parsed document without its texts for people, the keys of its objects sorted.
 * @param parseText reads a string that is a document itself, such as a file in a ConfigMap; undefined where it is none
 */
export const withoutTexts = (
  value: unknown,
  parseText: (key: string, text: string) => unknown = () => undefined,
): unknown => {
  if (Array.isArray(value)) return value.map((item) => withoutTexts(item, parseText));
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
