import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
/** Loaded by operators with a kubeconfig alone. */
const NOT_IN_PODS = '@kubernetes/client-node';

const PROGRAM = `
  for (const name of process.argv.slice(1)) await import(name);
  console.log(process.memoryUsage.rss());
`;

/** Bytes that a process has in RAM that has loaded the operator's libraries and does nothing: what is left to the operator's own code. */
export const librariesBytes = (): number => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const names = Object.keys(dependencies).filter((name) => name !== NOT_IN_PODS);
  const bytes = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM, ...names], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return Number(bytes);
};
