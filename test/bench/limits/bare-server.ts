import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A server in a separate process, which prints its port on the first line: a limit that shares no event loop with the load. */
export interface BareServer {
  readonly port: number;
  readonly pid: number;
  stop(): void;
}

/** Starts a program of this folder; `input` is what it reads from its stdin, as JSON. */
export const startBareServer = async (program: string, input?: unknown): Promise<BareServer> => {
  const child = spawn(process.execPath, [join(import.meta.dirname, program)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(input === undefined ? '' : JSON.stringify(input));
  const [port] = await once(createInterface({ input: child.stdout }), 'line');
  return { port: Number(port), pid: child.pid ?? 0, stop: () => void child.kill() };
};
