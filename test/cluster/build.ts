import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { type BinaryName, type BinarySource, binarySources, linkerFlags } from './binary-sources.ts';
import { describeBuild, estimateCpuSeconds } from './build-estimate.ts';
import { ClusterError } from './cluster-error.ts';
import { generateSources } from './generated-source.ts';
import { withLock } from './lock.ts';
import { exists } from './produce-once.ts';
import { reportProgress } from './progress.ts';
import { GO_MODULE } from './versions.ts';

const run = promisify(execFile);
const BINARY_NAMES = Object.keys(binarySources) as BinaryName[];

interface Build {
  readonly names: readonly BinaryName[];
  /** Where each is to be. */
  readonly target: (name: BinaryName) => string;
  /** Holds the lock and the unfinished work; on the file system of the targets. */
  readonly cache: string;
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
 * Builds binaries by one `go build`, which compiles what they share once and links one while it compiles another. Each
 * appears at its target complete or not at all. One process builds at a time; what it has built, the next one finds.
 * @throws ClusterError with the end of the compiler's output.
 */
export function buildBinaries(build: Build): Promise<void> {
  const lock = join(build.cache, 'build.lock');
  return withLock(lock, { name: build.names.join(', '), signal: build.signal }, async () => {
    const built: BinaryName[] = [];
    for (const name of BINARY_NAMES) if (await exists(build.target(name))) built.push(name);
    const missing = build.names.filter((name) => !built.includes(name));
    if (missing.length === 0) return;
    const folder = await mkdtemp(join(build.cache, 'build-'));
    try {
      await compile({ ...build, names: missing }, { folder, built });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

async function compile(
  { names, target, env, signal }: Build,
  { folder, built }: { readonly folder: string; readonly built: readonly BinaryName[] },
): Promise<void> {
  const goEnv = { ...goMemory(), ...env, CGO_ENABLED: '0' };
  const sources = names.map((name): BinarySource => binarySources[name]);
  const packages = sources.map((source) => source.package);
  let compiled = 0;
  let total: number | undefined;
  const expectedSeconds = estimateCpuSeconds(names, built) / availableParallelism();
  const describe = describeBuild(() => ({ compiled, total, expectedSeconds }));
  const endProgress = reportProgress(`building ${names.join(', ')} from source (once)`, { describe });
  try {
    const overlay = await generateSources(names, { folder, env: goEnv, signal });
    const options = { cwd: GO_MODULE, env: goEnv, signal };
    const dependencies = await runGo(['list', '-deps', ...packages], options);
    total = dependencies.length;
    // No DWARF: a seventh of the compiler's time, and stack traces don't need it.
    const flags = ['-trimpath', '-gcflags=all=-dwarf=false', '-ldflags', linkerFlags().join(' ')];
    const overlayFlags = overlay ? ['-overlay', overlay] : [];
    const output = join(folder, 'bin/');
    await mkdir(output);
    await runGo(['build', '-v', ...flags, ...overlayFlags, '-o', output, ...packages], {
      ...options,
      onErrorLine: () => {
        compiled += 1;
      },
    });
    for (const [at, name] of names.entries()) {
      await mkdir(dirname(target(name)), { recursive: true });
      await rename(join(output, sources[at]?.builtAs ?? name), target(name));
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ClusterError(`building ${names.join(', ')} failed:\n${lastLines(cause)}`, { cause });
  } finally {
    endProgress();
  }
}

/**
 * The compiler is short-lived: without garbage collection it takes a fifth less time. A limit makes it collect before
 * the processes that run at once fill the machine's memory.
 */
function goMemory(): NodeJS.ProcessEnv {
  const available = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const share = Math.floor(available / (2.5 * availableParallelism()) / 2 ** 20);
  return { GOGC: 'off', GOMEMLIMIT: `${Math.max(share, 512)}MiB` };
}

interface GoOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
  readonly onErrorLine?: () => void;
}

/** The lines that `go` writes to stdout. @throws Error with what it wrote to stderr where it fails */
async function runGo(
  args: readonly string[],
  { signal, onErrorLine, ...options }: GoOptions,
): Promise<string[]> {
  const go = spawn('go', args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], ...(signal && { signal }) });
  const output: string[] = [];
  const errors: string[] = [];
  createInterface({ input: go.stdout }).on('line', (line) => output.push(line));
  createInterface({ input: go.stderr }).on('line', (line) => {
    errors.push(line);
    onErrorLine?.();
  });
  const [code] = await once(go, 'close');
  if (code !== 0) throw new Error(errors.join('\n'));
  return output;
}

function lastLines(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.trimEnd().split('\n').slice(-20).join('\n');
}
