import { QUICK } from '../../bench/lib/scale.ts';
import type { Attack } from '../attack.ts';
import type { Measurement } from './measure.ts';

/** What holds under every attack. */
const MOST_MIB = 400;
const MOST_TURN_MS = 200;
const MOST_SLOWDOWN = 10;

/** A bound, and whether a measurement keeps it. */
export interface Verdict {
  readonly bound: string;
  readonly holds: boolean;
  /** Whether a run fails by it: a short one, in CI, prints times and does not fail by them. */
  readonly isAsserted: boolean;
}

/** The verdicts about an attack. */
export const verdictsOf = (attack: Attack, found: Measurement): readonly Verdict[] => {
  const slowdown = attack.slowdown ?? MOST_SLOWDOWN;
  const verdict = (bound: string, holds: boolean, isAsserted = true): Verdict => ({
    bound,
    holds,
    isAsserted,
  });
  return [
    verdict(`memory < ${MOST_MIB} MiB`, found.peakMiB < MOST_MIB),
    verdict('probes answer', found.probes.failed === 0 && found.probes.answered > 0),
    verdict('lease kept', found.lease.isKept && !found.hasEnded),
    ...(attack.isRefused ? [verdict('refusals', found.refusals > 0)] : []),
    verdict(`event loop < ${MOST_TURN_MS} ms`, found.turn.ms < MOST_TURN_MS, !QUICK),
    verdict(`p99 ≤ ${slowdown} × usual`, found.during.p99Ms <= slowdown * found.usual.p99Ms, !QUICK),
    ...found.checks.map(({ bound, holds, isTime = false }) => verdict(bound, holds, !(QUICK && isTime))),
  ];
};
