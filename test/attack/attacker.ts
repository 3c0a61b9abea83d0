import { setTimeout as pause } from 'node:timers/promises';
import { ATTACKS } from './attacks.ts';
import { Counter } from './lib/counter.ts';
import { type AttackerReport, type AttackOrder, READY, STOP, WHOLE } from './lib/order.ts';

/** The process of an attacker (lib/order.ts). It keeps below {@link MOST_BYTES}, so that the machine is not what fails, and ends with its parent. */

const MOST_BYTES = 1024 * 1024 * 1024;
const LOOK_MS = 250;

const stopping = new AbortController();
let peakBytes = 0;

const report = (message: AttackerReport): void => {
  process.send?.(message, () => process.exit(0));
};

const fail = (error: unknown): void =>
  report({ error: error instanceof Error ? (error.stack ?? '') : String(error) });

const attack = async ({ attack: name, target }: AttackOrder): Promise<void> => {
  const found = ATTACKS.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`there is no attack ${name}`);
  const counter = new Counter();
  let unfinished = 1;
  const finish = (): void => {
    unfinished -= 1;
    if (unfinished === 0) process.send?.(WHOLE);
  };
  const prepare = (): (() => void) => {
    unfinished += 1;
    return finish;
  };
  const running = found.run({ target, counter, prepare, signal: stopping.signal });
  finish();
  await Promise.race([
    running,
    new Promise<void>((resolve) =>
      stopping.signal.addEventListener('abort', () => resolve(), { once: true }),
    ),
  ]);
  report({ counts: counter.counts, peakMiB: peakBytes / 1024 / 1024 });
};

process.once('disconnect', () => process.exit(1));
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
process.on('message', (message: AttackOrder | typeof STOP) => {
  if (message === STOP) stopping.abort();
  else void attack(message).catch(fail);
});

process.send?.(READY);
for (;;) {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  if (peakBytes > MOST_BYTES) fail(new Error(`the attacker itself takes ${peakBytes} bytes`));
  await pause(LOOK_MS);
}
