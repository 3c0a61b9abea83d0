import type { MonotonicClock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';

/** What the operating system says about memory, in bytes. */
export interface MemoryFigures {
  /** The limit of the cgroup (v1 or v2); 0, or more than the machine has, if there is none. */
  readonly constrained: number;
  /** Of the machine. */
  readonly total: number;
}

/** The bytes at which the process is killed; undefined if no cgroup limits it. */
export const memoryLimitOf = ({ constrained, total }: MemoryFigures): number | undefined =>
  constrained > 0 && constrained < total ? constrained : undefined;

export interface MemoryWatermarkOptions {
  readonly limitBytes: number | undefined;
  /** The part of the limit at which the watermark is exceeded; 0: never. */
  readonly percent: number;
  /** The resident set size in bytes; a read takes some 20 µs. */
  readonly residentBytes: () => number;
  readonly clock: Pick<MonotonicClock, 'monotonic'>;
  readonly log: Log;
}

/** The memory is read at most once in this time, and only if it is asked for. */
const SAMPLE_MS = 1_000;
/** The watermark is exceeded until the memory is so many percent of the limit below it. */
const HYSTERESIS_PERCENT = 5;

/** Makes the function that says whether this process has so little memory left that it must not keep more (spec §6). */
export const createMemoryWatermark = ({
  limitBytes,
  percent,
  residentBytes,
  clock,
  log,
}: MemoryWatermarkOptions): (() => boolean) => {
  if (limitBytes === undefined || percent === 0) return () => false;
  const high = (limitBytes / 100) * percent;
  const low = (limitBytes / 100) * Math.max(0, percent - HYSTERESIS_PERCENT);
  let sampledAt = Number.NEGATIVE_INFINITY;
  let isExceeded = false;
  return () => {
    const now = clock.monotonic();
    if (now - sampledAt < SAMPLE_MS) return isExceeded;
    sampledAt = now;
    const resident = residentBytes();
    const before = isExceeded;
    isExceeded = resident >= (before ? low : high);
    if (isExceeded === before) return isExceeded;
    const fields = { residentBytes: resident, limitBytes, watermarkPercent: percent };
    if (isExceeded) log.error('the memory watermark is exceeded: no tokens are issued', fields);
    else log.info('the memory is below the watermark again: tokens are issued', fields);
    return isExceeded;
  };
};
