import type { Clock } from '../ports/clock.ts';

/** One thing that health depends on: undefined is well, a text says what is wrong (names only). */
export interface Check {
  readonly name: string;
  problem(): string | undefined;
}

/** The answer to a probe. */
export interface HealthReport {
  readonly ok: boolean;
  /** One line a check, as kube-apiserver's `?verbose` shows them. */
  readonly text: string;
}

/** Runs every check; a check that throws counts as a problem. */
export const report = (checks: readonly Check[]): HealthReport => {
  const lines = checks.map((check) => {
    let problem: string | undefined;
    try {
      problem = check.problem();
    } catch {
      problem = 'the check itself failed';
    }
    return {
      ok: problem === undefined,
      line: problem === undefined ? `[+]${check.name} ok` : `[-]${check.name} ${problem}`,
    };
  });
  const ok = lines.every((line) => line.ok);
  return { ok, text: `${[...lines.map((line) => line.line), ok ? 'ok' : 'failed'].join('\n')}\n` };
};

const BEAT_MS = 1000;

/**
 * Notices an event loop that hangs: a heartbeat is due every second, and a probe that comes while it is more than
 * `toleranceMs` late finds the loop starved. (A loop that hangs answers no probe at all.)
 */
export const createLoopCheck = (clock: Clock, toleranceMs = 5000): Check & { stop(): void } => {
  let last = clock.now();
  let cancel = (): void => undefined;
  const beat = (): void => {
    last = clock.now();
    cancel = clock.after(BEAT_MS, beat);
  };
  beat();
  return {
    name: 'event-loop',
    problem: () => {
      const late = clock.now() - last - BEAT_MS;
      return late > toleranceMs ? `was blocked for ${Math.round(late / 1000)} s` : undefined;
    },
    stop: () => cancel(),
  };
};
