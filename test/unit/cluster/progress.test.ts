import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { reportProgress } from '../../cluster/progress.ts';

describe('reportProgress', () => {
  const wasTTY = process.stderr.isTTY;
  let stderr: string;
  let megabytes: number;

  beforeEach(() => {
    stderr = '';
    megabytes = 0;
    jest.useFakeTimers();
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr += text;
      return true;
    });
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
    process.stderr.isTTY = wasTTY;
  });

  const report = () =>
    reportProgress('downloading etcd', { describe: () => `${megabytes} of 9 MB`, intervalMs: 5_000 });

  test('writes over one line on a terminal, each second', () => {
    process.stderr.isTTY = true;
    const end = report();
    megabytes = 4;
    jest.advanceTimersByTime(1_000);
    megabytes = 9;
    end();
    expect(stderr).toBe(
      '\rdownloading etcd: 0 of 9 MB \rdownloading etcd: 4 of 9 MB \rdownloading etcd: 9 of 9 MB \n',
    );
  });

  test('writes a line each interval elsewhere, and none after its end', () => {
    process.stderr.isTTY = false;
    const end = report();
    megabytes = 4;
    jest.advanceTimersByTime(9_999);
    megabytes = 9;
    end();
    jest.advanceTimersByTime(60_000);
    expect(stderr.split('\n')).toEqual([
      'downloading etcd: 0 of 9 MB',
      'downloading etcd: 4 of 9 MB',
      'downloading etcd: 9 of 9 MB',
      '',
    ]);
  });
});
