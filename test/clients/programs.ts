import { join } from 'node:path';
import { type Ended, run as runCommand } from '../support/command.ts';

/** Programs that no one here wrote, run as their users run them: from the repository's root. */
export const ROOT = join(import.meta.dirname, '../..');

interface RunOptions {
  readonly stdin?: string;
  /** Beside those of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

const PATIENCE_MS = 90_000;

/** How a program ended, and what it wrote. */
export type Outcome = Ended;

/** Runs a program to its end, 90 s at most; the caller decides what an exit code other than 0 means. */
export const run = (path: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  runCommand(path, args, { cwd: ROOT, timeoutMs: PATIENCE_MS, ...options });

/** What a program wrote that has to succeed. @throws Error with what it wrote to stderr */
export const stdoutOf = async (...command: Parameters<typeof run>): Promise<string> => {
  const { exitCode, stdout, stderr } = await run(...command);
  if (exitCode !== 0) throw new Error(`${command[0]} ended with ${exitCode}: ${stderr}`);
  return stdout;
};
