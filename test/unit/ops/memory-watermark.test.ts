import { beforeEach, describe, expect, test } from '@jest/globals';
import { createMemoryWatermark, memoryLimitOf } from '../../../operator/ops/memory-watermark.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordedLog } from '../../support/quiet.ts';

const MIB = 1024 * 1024;

test.each<[string, number, number | undefined]>([
  ['a cgroup has a limit', 512 * MIB, 512 * MIB],
  ['it is not known', 0, undefined],
  ['cgroup v1 has none, which is a number without a meaning', 2 ** 63 - 4096, undefined],
  ['cgroup v2 has none, for which libuv returns 2^64 - 1', 2 ** 64, undefined],
  ['it is as much as the machine has', 4096 * MIB, undefined],
])('the limit, where %s', (_name, constrained, expected) => {
  expect(memoryLimitOf({ constrained, total: 4096 * MIB })).toBe(expected);
});

describe('the watermark', () => {
  let clock: FakeClock;
  let resident: number;
  let heap: number;
  let reads: number;
  beforeEach(() => {
    clock = new FakeClock();
    resident = 0;
    heap = 0;
    reads = 0;
  });
  const log = recordedLog();
  const create = (limitBytes: number | undefined, percent = 90) =>
    createMemoryWatermark({
      uses:
        limitBytes === undefined
          ? {}
          : {
              resident: {
                limitBytes,
                usedBytes: () => {
                  reads += 1;
                  return resident * MIB;
                },
              },
              heap: { limitBytes: limitBytes / 2, usedBytes: () => heap * MIB },
            },
      percent,
      clock,
      log,
    });

  test('is exceeded from its part of the limit on, and until the memory is 5 % of the limit below it', async () => {
    const isExceeded = create(100 * MIB);
    const seen: [number, boolean][] = [];
    for (resident of [89, 90, 99, 86, 85, 84, 89, 90]) {
      seen.push([resident, isExceeded()]);
      await clock.advance(1_000);
    }
    expect(seen).toEqual([
      [89, false],
      [90, true],
      [99, true],
      [86, true],
      [85, true],
      [84, false],
      [89, false],
      [90, true],
    ]);
  });

  test('is exceeded by the live heap alone, while there is memory left, until both are below', async () => {
    const isExceeded = create(100 * MIB);
    const seen: boolean[] = [];
    for ([resident, heap] of [
      [60, 44],
      [60, 45],
      [86, 42],
      [84, 42],
    ] as const) {
      seen.push(isExceeded());
      await clock.advance(1_000);
    }
    expect(seen).toEqual([false, true, true, false]);
  });

  test('reads the memory once a second at most, and only if it is asked', async () => {
    const isExceeded = create(100 * MIB);
    await clock.advance(60_000);
    expect(reads).toBe(0);
    for (let call = 0; call < 1000; call += 1) isExceeded();
    expect(reads).toBe(1);
    resident = 95;
    await clock.advance(999);
    expect(isExceeded()).toBe(false);
    await clock.advance(1);
    expect([isExceeded(), reads]).toEqual([true, 2]);
  });

  test('says in the log when it is exceeded, and when it is no longer', async () => {
    const isExceeded = create(100 * MIB);
    log.lines.length = 0;
    for (resident of [95, 96, 10, 10]) {
      isExceeded();
      await clock.advance(1_000);
    }
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { percent: { resident: 95, heap: 0 } } },
      { level: 'info', fields: { percent: { resident: 10, heap: 0 } } },
    ]);
  });

  test.each<[string, number | undefined, number]>([
    ['without a limit', undefined, 90],
    ['of 0 percent', 100 * MIB, 0],
  ])('%s is never exceeded, and nothing is read', (_name, limitBytes, percent) => {
    resident = 1_000;
    expect([create(limitBytes, percent)(), reads]).toEqual([false, 0]);
  });
});
