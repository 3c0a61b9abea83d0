import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const BUF = join(ROOT, 'node_modules/@bufbuild/buf/bin/buf');

interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
}

/**
 * Copies a Go module into `target` and adds what its `buf.gen.yaml` generates from proto/, with the plugins that its
 * go.mod lists as tools. Nothing generated is kept in the repository, so that none of it is ever out of date.
 */
export async function copyAndGenerate(
  moduleDir: string,
  target: string,
  { env, signal }: Surroundings,
): Promise<void> {
  const plugins = join(target, 'bin');
  const options = { env, ...(signal && { signal }) };
  await cp(moduleDir, target, { recursive: true });
  await run('go', ['build', '-trimpath', '-o', `${plugins}/`, 'tool'], { ...options, cwd: target });
  const template = join(moduleDir, 'buf.gen.yaml');
  await run(process.execPath, [BUF, 'generate', '--template', template, '--output', target], {
    ...options,
    cwd: ROOT,
    env: { ...env, PATH: `${plugins}${delimiter}${env.PATH}` },
  });
}
