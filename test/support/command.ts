import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

interface CommandOptions {
  readonly cwd?: string;
  /** Beside those of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
  readonly timeoutMs?: number;
}

/** How a program ended, and what it wrote. */
export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, ten minutes at most. @throws where there is no such program */
export const run = async (
  program: string,
  args: readonly string[],
  { cwd, env, stdin = '', timeoutMs = 600_000 }: CommandOptions = {},
): Promise<Ended> => {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, timeout: timeoutMs });
  child.stdin.on('error', () => undefined).end(stdin);
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { exitCode, stdout, stderr };
};

/** What a program wrote to stdout. @throws Error with the end of what it wrote otherwise, where it does not end with 0 */
export const outputOf = async (...command: Parameters<typeof run>): Promise<string> => {
  const { exitCode, stdout, stderr } = await run(...command);
  if (exitCode === 0) return stdout;
  const [program, args] = command;
  const output = `${stdout}${stderr}`.trimEnd().split('\n').slice(-30).join('\n');
  throw new Error(`${program} ${args.join(' ')} ended with ${exitCode}:\n${output}`);
};
