/** Options of jest whose value is the argument after them, as far as people give them on a command line. */
const WITH_VALUE = new Set([
  '-t',
  '--testNamePattern',
  '--outputFile',
  '-w',
  '--maxWorkers',
  '--testTimeout',
]);

/**
 * Whether jest's arguments narrow a run to unit tests: by their project, or by nothing but paths below test/unit.
 * Anything that is not understood counts as no.
 */
export const needsUnitTestsOnly = (args: readonly string[]): boolean => {
  const projects = valuesOf(args, '--selectProjects');
  if (projects.length > 0) return projects.every((name) => name === 'unit');
  const paths = args.filter((arg, at) => !arg.startsWith('-') && !WITH_VALUE.has(args[at - 1] ?? ''));
  return paths.length > 0 && paths.every((path) => /^(\.\/)?test\/unit\//u.test(path));
};

/** The values of an option that takes several: `--name=a`, or `--name a b`. */
const valuesOf = (args: readonly string[], option: string): string[] => {
  const joined = args
    .filter((arg) => arg.startsWith(`${option}=`))
    .map((arg) => arg.slice(option.length + 1));
  const at = args.indexOf(option);
  if (at < 0) return joined;
  const after = args.slice(at + 1);
  const end = after.findIndex((arg) => arg.startsWith('-'));
  return [...joined, ...(end < 0 ? after : after.slice(0, end))];
};
