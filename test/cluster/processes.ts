import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A program to start in the background. */
export interface Command {
  readonly path: string;
  readonly args: readonly string[];
  /** Beside this process's own. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts a program in a session of its own, so that neither Ctrl-C nor the end of this process reaches it; its
 * output is added to `logPath`.
 * @returns its process id.
 * @throws the error of spawn(2), say ENOENT.
 */
export function startDetached({ path, args, env }: Command, logPath: string): Promise<number> {
  const log = openSync(logPath, 'a');
  const child = spawn(path, args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env },
  });
  closeSync(log);
  child.unref();
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(child.pid as number));
  });
}

/** Ends a process at once and returns when it is gone. No process of that id is fine. */
export async function killAndWait(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  while (!(await hasEnded(pid))) await delay(5);
}

/**
 * Whether every thread of a process has ended. Its command line is no sign of that: memory goes first, and the
 * files, listening ports among them, with the last thread.
 */
async function hasEnded(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return (await commandLine(pid)) === '';
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const stats = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '')),
  );
  // proc(5): the state follows the name, which stands in parentheses.
  return stats.every((stat) => stat === '' || /^[ZX]/u.test(stat.slice(stat.lastIndexOf(')') + 2)));
}

/** Whether `pid` is a live process whose command line holds `text`: ids are used again, so the id alone tells little. */
export async function isProcess(pid: number, text: string): Promise<boolean> {
  return (await commandLine(pid)).includes(text);
}

/** Empty for a process that is gone, and for one that has ended and waits for its parent. */
async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return raw.replaceAll('\0', ' ');
  }
  const ps = promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
  return ps.then(
    ({ stdout }) => (stdout.includes('<defunct>') ? '' : stdout.trim()),
    () => '',
  );
}

/** The id in a pid file, or undefined where there is no such file. */
export async function readPid(path: string): Promise<number | undefined> {
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  return pid > 0 ? pid : undefined;
}

/** Records the id of a process. */
export function writePid(path: string, pid: number): Promise<void> {
  return writeFile(path, `${pid}\n`);
}
