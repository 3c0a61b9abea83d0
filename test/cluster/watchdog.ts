import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { join } from 'node:path';

/** Waits for the end of its input, that is of this process; then ends what the pid files name, and removes the folder. */
const script = `
read -r _
for file in "$1"/*.pid; do
  pid=$(cat "$file") || continue
  { tr '\\0' ' ' <"/proc/$pid/cmdline" || ps -ww -o command= -p "$pid"; } 2>/dev/null | grep -qF -- "$1/" && kill -9 "$pid"
done 2>/dev/null
[ -z "$2" ] || "$2" "$3" "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" && break; sleep 0.1; done 2>/dev/null
`;

/**
 * Sees to it that a cluster in `dir` doesn't outlive this process, however that ends, SIGKILL included.
 * @returns a function that calls it off.
 */
export function watchOver(dir: string, hasNode = false): () => void {
  const teardown = hasNode ? [process.execPath, join(import.meta.dirname, 'node/teardown-cli.ts')] : [];
  const child = spawn('/bin/sh', ['-c', script, 'cluster-watchdog', dir, ...teardown], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.unref();
  (child.stdin as Socket).unref();
  return () => child.kill('SIGKILL');
}
