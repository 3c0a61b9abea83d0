import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { type Config, configSchema } from './schema.ts';

/** What is wrong with a configuration, all of it: one line a problem, each starting with the field's path. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(source: string, problems: readonly string[]) {
    super(
      `${source}: ${problems.length} problem(s)\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

/** More than any real configuration; a wrong file is rejected before it is parsed. */
const MAX_BYTES = 1024 * 1024;

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
};

const parseYaml = (text: string, source: string): unknown => {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, maxAliasCount: 100 } as object);
  const problems = document.errors.map((error) => {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    return `line ${line}, column ${col}: ${error.message}`;
  });
  if (problems.length > 0) throw new ConfigError(source, problems);
  return document.toJS({ maxAliasCount: 100 }) ?? {};
};

const pathOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  ) || 'the configuration';

/**
 * Parses and validates a configuration's YAML text.
 * @param source names the text in errors (a path)
 * @param podNamespace default of `kubernetes.namespace` (the downward API's POD_NAMESPACE)
 * @throws ConfigError with every problem at once
 */
export const parseConfig = (text: string, source: string, podNamespace?: string): Config => {
  const parsed = configSchema(podNamespace).safeParse(parseYaml(text, source));
  if (parsed.success) return deepFreeze(parsed.data);
  const problems = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => `${pathOf([...issue.path, key])}: is not a setting`)
      : [`${pathOf(issue.path)}: ${issue.message}`],
  );
  throw new ConfigError(source, problems);
};

/**
 * Reads the configuration file.
 * @throws ConfigError where it can't be read or is not valid
 */
export const loadConfig = (path: string, podNamespace?: string): Config => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(path, [
      `can't be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
    ]);
  }
  if (text.length > MAX_BYTES) throw new ConfigError(path, ['is larger than 1 MiB']);
  return parseConfig(text, path, podNamespace);
};
