import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ClusterError } from '../cluster-error.ts';
import { SEARCH_PATH } from './machine.ts';

/** Runs one of the system's programs and gives what it wrote to stdout. @throws ClusterError with what it said */
export const command = async (
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> => {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      env: { ...process.env, PATH: SEARCH_PATH, ...env },
      maxBuffer: 64 * 1024 * 1024,
      timeout: 300_000,
    });
    return stdout;
  } catch (cause) {
    const said = String((cause as { stderr?: string }).stderr || cause).trimEnd();
    throw new ClusterError(`${program} ${args.join(' ')} failed: ${said}`, { cause });
  }
};
