import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { reportProgress } from './progress.ts';

/** A file that is built or downloaded once a machine. */
export interface Product {
  readonly name: string;
  readonly target: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Has `produce` write a file, then renames it to the product's target: it appears there complete or not at all. Of
 * several callers, in this process or in others, one produces; the rest wait for its result.
 */
export async function produceOnce(
  product: Product,
  produce: (unfinished: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(product.target), { recursive: true });
  const release = await acquireLock(product);
  if (!release) return;
  const unfinished = `${product.target}.${process.pid}.part`;
  try {
    await produce(unfinished);
    await rename(unfinished, product.target);
  } finally {
    await rm(unfinished, { force: true });
    await release();
  }
}

/** A function that releases the lock, or undefined if another caller has produced the file meanwhile. */
async function acquireLock({ name, target, signal }: Product): Promise<(() => Promise<void>) | undefined> {
  const lock = `${target}.lock`;
  const endProgress = { call: () => {} };
  try {
    for (let waited = false; ; waited = true) {
      if (await exists(target)) return undefined;
      if (await createLock(lock)) return () => rm(lock, { force: true });
      if (await isAbandoned(lock)) {
        await rm(lock, { force: true });
        continue;
      }
      if (!waited) endProgress.call = reportProgress(`waiting for another process that makes ${name}`);
      await delay(500, undefined, signal && { signal });
    }
  } finally {
    endProgress.call();
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

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
