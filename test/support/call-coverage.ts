import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

/** Calls of each function of the compiled operator, by `<file> <function> <offset>`. */
export type CallCounts = ReadonlyMap<string, number>;

/**
 * Runs before the operator and counts the calls of its functions with V8's precise coverage. At each SIGUSR2 it writes what was
 * called since the last one.
 */
const recorder = (dir: string): string => `
import { Session } from 'node:inspector/promises';
import { renameSync, writeFileSync } from 'node:fs';
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
let number = 0;
process.on('SIGUSR2', async () => {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const calls = [];
  for (const { url, functions } of result) {
    const [, file] = /\\/dist\\/(.*)\\.js$/u.exec(url) ?? [];
    if (file === undefined || url.includes('/node_modules/')) continue;
    for (const { functionName, ranges: [range] } of functions) {
      if (range.count > 0) calls.push([file + '.ts ' + functionName + ' ' + range.startOffset, range.count]);
    }
  }
  const path = ${JSON.stringify(dir)} + '/' + number++;
  writeFileSync(path + '.part', JSON.stringify(calls));
  renameSync(path + '.part', path);
});
`;

/** Environment of an operator process whose calls are counted; `dir` is an empty folder for what it writes. */
export const coverageEnv = (dir: string): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(recorder(dir))}`,
});

/** Reads what an operator that was started with {@link coverageEnv} has called. */
export const coverageReader = (dir: string, pid: number) => {
  let number = 0;
  return {
    /** What was called since the last time. */
    take: async (): Promise<CallCounts> => {
      const path = join(dir, String(number++));
      process.kill(pid, 'SIGUSR2');
      const text = await eventually(() => readFile(path, 'utf8'), { timeoutMs: 10_000 });
      await rm(path);
      return new Map(JSON.parse(text) as [string, number][]);
    },
  };
};

/** How often `name` is called in half of the runs or more. */
const medianOf = (runs: readonly CallCounts[], name: string): number =>
  runs.map((counts) => counts.get(name) ?? 0).sort((a, b) => a - b)[Math.floor(runs.length / 2)] ?? 0;

/**
 * The files in which `runs` usually call something, and more often than `others` do: what happens now and then, or for another
 * reason meanwhile, is not among them.
 */
export const filesCalledBy = (
  runs: readonly CallCounts[],
  others: readonly CallCounts[] = [],
): readonly string[] => {
  const names = new Set(runs.flatMap((counts) => [...counts.keys()]));
  const called = [...names].filter((name) => medianOf(runs, name) > medianOf(others, name));
  return [...new Set(called.map((name) => name.slice(0, name.indexOf(' '))))].sort();
};
