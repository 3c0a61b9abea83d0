import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Programs that no one here wrote, run as their users run them: from the repository's root. */
export const ROOT = join(import.meta.dirname, '../..');

/** How a program ended, and what it wrote. */
export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly stdin?: string;
  /** Beside those of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

const PATIENCE_MS = 90_000;

/** Runs a program to its end, which is its own matter: an exit code that is not 0 is an outcome like any other. */
export const run = async (
  path: string,
  args: readonly string[],
  { stdin = '', env = {} }: RunOptions = {},
): Promise<Outcome> => {
  const child = spawn(path, args, { cwd: ROOT, env: { ...process.env, ...env }, timeout: PATIENCE_MS });
  child.stdin.on('error', () => undefined).end(stdin);
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { exitCode, stdout, stderr };
};

/** What a program wrote that has to succeed. @throws Error with what it wrote to stderr */
export const stdoutOf = async (...command: Parameters<typeof run>): Promise<string> => {
  const { exitCode, stdout, stderr } = await run(...command);
  if (exitCode !== 0) throw new Error(`${command[0]} ended with ${exitCode}: ${stderr}`);
  return stdout;
};
