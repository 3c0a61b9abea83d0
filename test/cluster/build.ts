import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BinarySource } from './binary-sources.ts';
import { ClusterError } from './cluster-error.ts';
import { copyAndGenerate } from './generated-source.ts';
import { type Product, produceOnce } from './produce-once.ts';
import { reportProgress } from './progress.ts';

const run = promisify(execFile);

interface Build extends Product {
  readonly source: BinarySource;
  readonly env: NodeJS.ProcessEnv;
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
  await produceOnce(build, async (unfinished) => {
    const endProgress = reportProgress(`building ${build.name} from source (once)`);
    await compile(build, unfinished).finally(endProgress);
  });
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
