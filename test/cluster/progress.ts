/**
 * Reports on stderr that work goes on, in place on a terminal and as a line every few seconds elsewhere.
 * @param describe how far it is; the elapsed time unless given.
 * @returns a function that ends the reports.
 */
export function reportProgress(what: string, describe = elapsedSince(performance.now())): () => void {
  const { isTTY } = process.stderr;
  const print = () => {
    process.stderr.write(isTTY ? `\r${what}: ${describe()} ` : `${what}: ${describe()}\n`);
  };
  print();
  const timer = setInterval(print, isTTY ? 1000 : 15_000);
  return () => {
    clearInterval(timer);
    print();
    if (isTTY) process.stderr.write('\n');
  };
}

function elapsedSince(startedAt: number): () => string {
  return () => {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
  };
}
