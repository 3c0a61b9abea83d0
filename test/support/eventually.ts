import { setTimeout as delay } from 'node:timers/promises';

/** How long to try, and how often. */
export interface Patience {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/**
 * Calls `look` until it neither throws nor gives a falsy value other than undefined (so that a block of `expect`s
 * counts as success), and returns what it gave.
 * @throws Error after `timeoutMs`, with the last failure in its message and as its cause.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 20 }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const failure = await attempt(look);
    if ('value' in failure) return failure.value;
    if (performance.now() >= deadline) {
      const last = failure.error instanceof Error ? failure.error.message : String(failure.error);
      throw new Error(`still failing after ${timeoutMs} ms; the last time: ${last}`, {
        cause: failure.error,
      });
    }
    await delay(intervalMs);
  }
}

async function attempt<T>(look: () => T | Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    const value = await look();
    return value || value === undefined ? { value } : { error: `the answer was ${JSON.stringify(value)}` };
  } catch (error) {
    return { error };
  }
}
