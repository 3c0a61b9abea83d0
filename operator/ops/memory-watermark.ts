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

/** What is used of one kind of memory, of which the process dies when it reaches the limit. */
interface MemoryUse {
  readonly limitBytes: number;
  /** A read takes some 20 µs. */
  readonly usedBytes: () => number;
}

export interface MemoryWatermarkOptions {
  /** By their names in the log. Empty: the watermark is never exceeded. */
  readonly uses: Readonly<Record<string, MemoryUse>>;
  /** The part of each limit at which the watermark is exceeded; 0: never. */
  readonly percent: number;
  readonly clock: Pick<MonotonicClock, 'monotonic'>;
  readonly log: Log;
}

/** The memory is read at most once in this time, and only if it is asked for. */
const SAMPLE_MS = 1_000;
/** The watermark is exceeded until all memory is so many percent of its limit below it. */
const HYSTERESIS_PERCENT = 5;

/** Makes the function that says whether this process has so little memory left that it must not keep more (spec §6). */
export const createMemoryWatermark = ({
  uses,
  percent,
  clock,
  log,
}: MemoryWatermarkOptions): (() => boolean) => {
  if (Object.keys(uses).length === 0 || percent === 0) return () => false;
  let sampledAt = Number.NEGATIVE_INFINITY;
  let isExceeded = false;

  const sample = (): boolean => {
    const limitPercent = isExceeded ? Math.max(0, percent - HYSTERESIS_PERCENT) : percent;
    const used = Object.entries(uses).map(([name, { limitBytes, usedBytes }]) => ({
      name,
      usedPercent: (usedBytes() / limitBytes) * 100,
    }));
    const isNow = used.some(({ usedPercent }) => usedPercent >= limitPercent);
    if (isNow === isExceeded) return isNow;
    const fields = Object.fromEntries(used.map(({ name, usedPercent }) => [name, Math.round(usedPercent)]));
    if (isNow) log.error('the memory watermark is exceeded: no tokens are issued', { percent: fields });
    else log.info('the memory is below the watermark again: tokens are issued', { percent: fields });
    return isNow;
  };

  return () => {
    const now = clock.monotonic();
    if (now - sampledAt >= SAMPLE_MS) {
      sampledAt = now;
      isExceeded = sample();
    }
    return isExceeded;
  };
};
