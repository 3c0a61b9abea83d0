/** A value of the chart that a user may set. */
export interface DocumentedValue {
  /** `config.log.level` */
  readonly path: string;
  /** The default as written in values.yaml, on one line; empty if it continues on the next lines. */
  readonly fallback: string;
  readonly description: string;
}

/**
 * Reads the `# -- ` comments of a values.yaml: each describes the key below it.
 * @throws Error if a comment has no key below it
 */
export const readComments = (text: string): readonly DocumentedValue[] => {
  const found: DocumentedValue[] = [];
  const parents: { readonly indent: number; readonly key: string }[] = [];
  let description = '';
  for (const line of text.split('\n')) {
    const comment = /^\s*# -- (?<text>.+)$/u.exec(line)?.groups?.text;
    if (comment) {
      if (description) throw new Error(`values.yaml: no key below "${description}"`);
      description = comment;
      continue;
    }
    const groups = /^(?<space> *)(?<key>[A-Za-z]\w*):(?: (?<value>.+))?$/u.exec(line)?.groups;
    if (!groups?.key) continue;
    const indent = groups.space?.length ?? 0;
    while (parents.length > 0 && (parents.at(-1)?.indent ?? 0) >= indent) parents.pop();
    const path = [...parents.map(({ key }) => key), groups.key].join('.');
    parents.push({ indent, key: groups.key });
    if (description) found.push({ path, fallback: groups.value ?? '', description });
    description = '';
  }
  return found;
};
