import type { Registry } from 'prom-client';
import type { MonotonicClock } from '../ports/clock.ts';

/** After a rendering, this many times its own duration passes before the next: scrapes take a tenth of a core at most. */
const REST = 9;
const MAX_REST_MS = 1000;

/**
 * Renders metrics for any number of scrapers at once: those that come while a rendering is under way share the next
 * one, which begins after a rest in proportion to the last one's duration. A scrape after the rest is served at once.
 */
export const createMetricsText = (
  registry: Pick<Registry, 'metrics'>,
  clock: Pick<MonotonicClock, 'monotonic' | 'after'>,
): (() => Promise<string>) => {
  let waiting: Promise<string> | undefined;
  let rested = Promise.resolve();
  const render = async (): Promise<string> => {
    await rested;
    // A scrape that comes from here on waits for the next rendering, which shows what happened before it came.
    waiting = undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    rested = promise;
    const begin = clock.monotonic();
    try {
      return await registry.metrics();
    } finally {
      clock.after(Math.min(MAX_REST_MS, REST * (clock.monotonic() - begin)), resolve);
    }
  };
  return () => {
    waiting ??= render();
    return waiting;
  };
};
