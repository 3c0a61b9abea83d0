import type { MonotonicClock } from '../ports/clock.ts';

/** Node fires a timer at once whose delay does not fit 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const after = (ms: number, callback: () => void): (() => void) => {
  const end = performance.now() + ms;
  let timer: NodeJS.Timeout;
  const arm = (left: number): void => {
    timer = setTimeout(
      () => {
        const rest = end - performance.now();
        if (rest > 1) arm(rest);
        else callback();
      },
      Math.min(Math.max(0, left), LONGEST_TIMER_MS),
    );
  };
  arm(ms);
  return () => clearTimeout(timer);
};

/** The machine's clock and Node's timers. A timer of any length works; one that waits keeps the process alive. */
export const systemClock: MonotonicClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after,
};
