import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { reportProgress } from './progress.ts';

interface LockOptions {
  /** What the holder of the lock makes, for the message of those who wait. */
  readonly name: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs `work` while no other caller, in this process or in others, holds the lock file; waits for it first. The lock of
 * a process that has ended is taken over.
 */
export async function withLock<T>(lock: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(lock), { recursive: true });
  await acquireLock(lock, options);
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function acquireLock(lock: string, { name, signal }: LockOptions): Promise<void> {
  let endProgress: (() => void) | undefined;
  try {
    while (!(await createLock(lock))) {
      if (await isAbandoned(lock)) {
        await rm(lock, { force: true });
        continue;
      }
      endProgress ??= reportProgress(`waiting for another process that makes ${name}`);
      await delay(500, undefined, signal && { signal });
    }
  } finally {
    endProgress?.();
  }
}

async function createLock(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, 'wx');
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isAbandoned(lock: string): Promise<boolean> {
  const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
  if (!owner) return false;
  try {
    process.kill(owner, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
