import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { BinarySource } from './binary-sources.ts';
import { ClusterError } from './cluster-error.ts';
import { copyAndGenerate } from './generated-source.ts';

const run = promisify(execFile);

interface Build {
  readonly name: string;
  readonly source: BinarySource;
  readonly target: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
}

/** Whether `go` answers on the PATH of `env`. */
export async function goIsInstalled(env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    await run('go', ['version'], { env });
    return true;
  } catch {
    return false;
  }
}

/**
 * Builds one binary into `target`. It appears there complete or not at all, and a second process that wants the
 * same one waits for the first instead of building it again.
 * @throws ClusterError with the end of the compiler's output.
 */
export async function buildBinary(build: Build): Promise<void> {
  await mkdir(dirname(build.target), { recursive: true });
  const release = await takeTurn(build);
  if (!release) return;
  const unfinished = `${build.target}.${process.pid}.part`;
  const endProgress = reportProgress(`building ${build.name} from source (once)`);
  try {
    await compile(build, unfinished);
    await rename(unfinished, build.target);
  } finally {
    endProgress();
    await rm(unfinished, { force: true });
    await release();
  }
}

async function compile({ name, source, env, signal }: Build, output: string): Promise<void> {
  const flags = ['-s -w', ...(source.linkerFlags?.() ?? [])].join(' ');
  const command = ['build', '-trimpath', '-ldflags', flags, '-o', output, source.package];
  const copy = source.generated ? await mkdtemp(join(tmpdir(), 'm2m-build-')) : undefined;
  try {
    if (copy) await copyAndGenerate(source.moduleDir, copy, { env, signal });
    await run('go', command, {
      cwd: copy ?? source.moduleDir,
      env,
      maxBuffer: 64 * 1024 * 1024,
      ...(signal && { signal }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    const output = String((cause as { stderr?: string }).stderr ?? cause);
    throw new ClusterError(
      `building ${name} failed:\n${output.trimEnd().split('\n').slice(-20).join('\n')}`,
      {
        cause,
      },
    );
  } finally {
    if (copy) await rm(copy, { recursive: true, force: true });
  }
}

/** A function that gives the turn back, or undefined where another process has made the binary meanwhile. */
async function takeTurn({ name, target, signal }: Build): Promise<(() => Promise<void>) | undefined> {
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
      if (!waited) endProgress.call = reportProgress(`waiting for another process that builds ${name}`);
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

/** Tells on stderr every few seconds that the work goes on; the returned function ends that. */
function reportProgress(what: string): () => void {
  const startedAt = performance.now();
  const print = () => {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const elapsed = `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
    process.stderr.write(process.stderr.isTTY ? `\r${what}: ${elapsed} ` : `${what}: ${elapsed}\n`);
  };
  print();
  const timer = setInterval(print, process.stderr.isTTY ? 1000 : 15_000);
  return () => {
    clearInterval(timer);
    print();
    if (process.stderr.isTTY) process.stderr.write('\n');
  };
}
