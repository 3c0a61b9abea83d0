import { expect, test } from '@jest/globals';
import { ClockSkew } from '../../../operator/kube/client.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';

const build = () => {
  const clock = new FakeClock();
  const log = recordedLog();
  const metrics = recordedMetrics();
  const skew = new ClockSkew({ clock, log, metrics });
  /** An answer that comes now, from a server whose clock is `ahead` seconds behind ours. */
  const answer = (aheadSeconds: number) =>
    skew.sample(new Date(clock.now() - aheadSeconds * 1000).toUTCString(), clock.now());
  return { clock, log, metrics, skew, answer };
};

test('a difference within the resolution of the header is none', () => {
  const { skew, answer } = build();
  answer(0);
  expect(skew.seconds).toBe(0);
});

test.each([40, -40])('a clock that is %d s off is reported and warned of, once a minute', async (seconds) => {
  const { skew, answer, clock, log, metrics } = build();
  answer(seconds);
  expect(Math.abs(skew.seconds - seconds)).toBeLessThanOrEqual(0.5);
  for (let i = 0; i < 61; i++) {
    await clock.advance(1_000);
    answer(seconds);
  }
  expect(log.lines).toHaveLength(2);
  expect(metrics.calls).toHaveLength(62);
});

test('it is sampled at most once a second', () => {
  const { answer, metrics } = build();
  for (let i = 0; i < 100; i++) answer(5);
  expect(metrics.calls).toHaveLength(1);
});

test.each([undefined, 'no date'])('a header of %j says nothing', (header) => {
  const { skew, clock, metrics } = build();
  skew.sample(header, clock.now());
  expect(metrics.calls).toEqual([]);
});
