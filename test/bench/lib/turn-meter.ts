/**
 * Loaded into an operator before its own code: writes down each turn of its event loop that keeps others waiting, as a line of its
 * log, with the CPU time that its main thread used meanwhile. On a busy machine a turn lasts longer than it works.
 */

const EVERY_MS = 10;
const NOTABLE_MS = 30;

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

let last = { at: performance.now(), cpuMs: cpuMs() };
const look = (): void => {
  const now = { at: performance.now(), cpuMs: cpuMs() };
  const turn = { ms: now.at - last.at, cpuMs: now.cpuMs - last.cpuMs };
  last = now;
  if (turn.ms > NOTABLE_MS)
    process.stderr.write(`${JSON.stringify({ level: 'info', message: 'turn', ...turn })}\n`);
};
setInterval(look, EVERY_MS).unref();
