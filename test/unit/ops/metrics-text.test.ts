import { expect, test } from '@jest/globals';
import { createMetricsText } from '../../../operator/ops/metrics-text.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A registry whose renderings take `ms` of the clock, and end when `finish` is called. */
const slowRegistry = (clock: FakeClock, ms: number) => {
  let begun = 0;
  let end = (): void => undefined;
  const metrics = async (): Promise<string> => {
    begun += 1;
    const text = `rendering ${begun}`;
    await new Promise<void>((resolve) => (end = resolve));
    return text;
  };
  const finish = async (): Promise<void> => {
    await clock.advance(ms);
    end();
    await clock.advance(0);
  };
  return { registry: { metrics }, finish, begun: () => begun };
};

test('scrapes that come during a rendering share the next one, which waits nine times as long as the last one took', async () => {
  const clock = new FakeClock();
  const { registry, finish, begun } = slowRegistry(clock, 10);
  const text = createMetricsText(registry, clock);
  const first = text();
  await clock.advance(0);
  const late = [text(), text(), text()];
  await finish();
  expect(await first).toBe('rendering 1');
  await clock.advance(89);
  expect(begun()).toBe(1);
  await clock.advance(1);
  expect(begun()).toBe(2);
  await finish();
  expect(await Promise.all(late)).toEqual(Array(3).fill('rendering 2'));
});

test('a scrape after the rest is served at once, with a rendering that began after it came', async () => {
  const clock = new FakeClock();
  const { registry, finish, begun } = slowRegistry(clock, 10);
  const text = createMetricsText(registry, clock);
  const first = text();
  await clock.advance(0);
  await finish();
  await first;
  await clock.advance(90);
  const second = text();
  await clock.advance(0);
  expect(begun()).toBe(2);
  await finish();
  expect(await second).toBe('rendering 2');
});

test('a rendering that fails is an error of those who waited for it only', async () => {
  const clock = new FakeClock();
  let fails = true;
  const text = createMetricsText(
    { metrics: () => (fails ? Promise.reject(new Error('broken')) : Promise.resolve('fine')) },
    clock,
  );
  await expect(text()).rejects.toThrow('broken');
  fails = false;
  await clock.advance(0);
  expect(await text()).toBe('fine');
});
