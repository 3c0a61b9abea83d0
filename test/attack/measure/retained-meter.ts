import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Loaded into an operator before its own code: on SIGUSR2 it collects garbage and writes down, as a line of its log, how many bytes are
 * still referenced. Resident memory says what a process once needed, not what it keeps.
 */

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

process.on('SIGUSR2', () => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  process.stderr.write(
    `${JSON.stringify({ level: 'info', message: 'retained', bytes: heapUsed + external })}\n`,
  );
});
