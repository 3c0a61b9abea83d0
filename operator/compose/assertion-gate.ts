import { sleep } from '../async/sleep.ts';
import type { Clock } from '../ports/clock.ts';
import type { WatchCoverage } from '../ports/watch-coverage.ts';
import type { Gate } from '../runtime/manager.ts';

/**
 * Waits until the second in which the records were listed is over, less than 1 s: `iat` has whole seconds, so that an assertion that a
 * client signs from then on, by a clock like this one, is not too old (spec §4, Replay).
 */
export const assertionGate =
  (records: Pick<WatchCoverage<never>, 'completeSince'>, clock: Clock): Gate =>
  async (signal) => {
    const nextSecond = Math.ceil((records.completeSince() ?? 0) / 1000) * 1000;
    const waitMs = nextSecond - clock.now() + 1;
    await sleep(clock, Math.min(Math.max(0, waitMs), 1000), signal);
  };
