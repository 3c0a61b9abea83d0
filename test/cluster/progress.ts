import { formatSeconds } from './build-estimate.ts';

interface ProgressOptions {
  /** How far the work is; the elapsed time unless given. */
  readonly describe?: () => string;
  /** Time between two lines where stderr is no terminal. */
  readonly intervalMs?: number;
}

/**
 * Reports on stderr that work goes on: in place and each second on a terminal, else as a line every few seconds.
 * @returns a function that ends the reports.
 */
export function reportProgress(what: string, options: ProgressOptions = {}): () => void {
  const { describe = elapsedSince(performance.now()), intervalMs = 15_000 } = options;
  const { isTTY } = process.stderr;
  const print = () => {
    process.stderr.write(isTTY ? `\r${what}: ${describe()} ` : `${what}: ${describe()}\n`);
  };
  print();
  const timer = setInterval(print, isTTY ? 1000 : intervalMs);
  return () => {
    clearInterval(timer);
    print();
    if (isTTY) process.stderr.write('\n');
  };
}

function elapsedSince(startedAt: number): () => string {
  return () => formatSeconds((performance.now() - startedAt) / 1000);
}
