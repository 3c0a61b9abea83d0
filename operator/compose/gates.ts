import { sleep } from '../async/sleep.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Gate } from '../runtime/manager.ts';

const PATIENCE_MS = 5_000;
const POLL_MS = 20;

/**
 * Waits until it is open, 5 s at most: the first passes need what signs, which they would call missing, and the first requests a
 * replica's share of limits. What can't be read holds up nothing for long.
 */
export const gate =
  (isOpen: () => boolean, clock: MonotonicClock): Gate =>
  async (signal) => {
    const giveUpAt = clock.monotonic() + PATIENCE_MS;
    while (!isOpen() && clock.monotonic() < giveUpAt && (await sleep(clock, POLL_MS, signal)));
  };
