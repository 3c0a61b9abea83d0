import { LineCounter, parseDocument, visit } from 'yaml';

/**
 * Parses YAML as a Go program with fields of type string gets it (gopkg.in/yaml.v3): a scalar that is no text, such as the ID 0815 or a
 * flag, is the text as it is written, and null stays null. Below a field in `raw` values keep their type, and integers are exact
 * (bigint). Merge keys (`<<`) are followed.
 * @throws Error with line and column, and with nothing of the text, which has secrets
 */
export const parseGoYaml = (text: string, raw: readonly string[]): unknown => {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    logLevel: 'error',
    intAsBigInt: true,
    merge: true,
  });
  const [error] = document.errors;
  if (error) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    throw new Error(`no YAML at line ${line}, column ${col} (${error.code})`);
  }
  visit(document, {
    Pair: (_, { key }) => {
      const name = typeof key === 'object' && key !== null && 'value' in key ? key.value : key;
      return raw.includes(String(name)) ? visit.SKIP : undefined;
    },
    Scalar: (_, node) => {
      if (node.value !== null && node.source !== undefined) node.value = node.source;
    },
  });
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    // The message of the parser has the name of the alias.
    throw new Error('no YAML: an alias (*) has no anchor (&), or there are too many');
  }
};
