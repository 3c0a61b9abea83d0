import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type BenchEnv, isReady, tokenOf, tokensPath } from './bench-env.ts';
import { quantile } from './latency.ts';
import { type Figure, median } from './report.ts';

/** Declared Tokens that are made one after the other while the operator does something else. */
export interface FreshTokens {
  /** Makes a Token, and waits until a watch shows it Ready. */
  make(): Promise<void>;
  /** Milliseconds from the API server's answer to the create until Ready, of each so far. */
  readonly readyAfterMs: readonly number[];
  stop(): void;
}

const PATIENCE_MS = 60_000;

/** Opens the watch, in a new namespace unless one is given. */
export const openFreshTokens = async (env: BenchEnv, given?: string): Promise<FreshTokens> => {
  const namespace = given ?? (await env.api.createNamespace('fresh'));
  const path = tokensPath(namespace);
  const ready = new EventTarget();
  const stop = await env.server.watch(path, ({ object }) => {
    if (isReady(object)) ready.dispatchEvent(new Event(object.metadata.name));
  });
  const readyAfterMs: number[] = [];
  const make = async (): Promise<void> => {
    const name = `fresh-${randomUUID()}`;
    const seen = once(ready, name, { signal: AbortSignal.timeout(PATIENCE_MS) });
    let readyAt = 0;
    const ended = seen.then(() => {
      readyAt = performance.now();
    });
    await env.server.write('POST', path, tokenOf(name, namespace));
    const createdAt = performance.now();
    await ended;
    readyAfterMs.push(Math.max(0, readyAt - createdAt));
  };
  return { make, readyAfterMs, stop };
};

/** Makes at most `count` while `goesOn` says so, and one at least, one after the other; milliseconds to Ready of each. */
export const makeFreshTokens = async (
  env: BenchEnv,
  {
    namespace,
    count,
    goesOn,
  }: { readonly namespace?: string; readonly count: number; readonly goesOn: () => boolean },
): Promise<readonly number[]> => {
  const fresh = await openFreshTokens(env, namespace);
  try {
    do await fresh.make();
    while (fresh.readyAfterMs.length < count && goesOn());
  } finally {
    fresh.stop();
  }
  return fresh.readyAfterMs;
};

const MOST_MS = 1000;

const p99Of = (readyAfterMs: readonly number[]): number =>
  quantile(
    readyAfterMs.toSorted((a, b) => a - b),
    0.99,
  );

/** The row that says whether fresh Tokens waited: milliseconds to Ready while the operator did something else, and with nothing to do. */
export const freshFigure = (what: string, busy: readonly number[], idle: readonly number[]): Figure => {
  const p99 = p99Of(busy);
  return {
    scenario: `a fresh Token to Ready ${what}`,
    measured: `p50 ${median(busy).toFixed(0)} ms, p99 ${p99.toFixed(0)} ms of ${busy.length}`,
    limit: `with nothing else to do: p50 ${median(idle).toFixed(0)} ms, p99 ${p99Of(idle).toFixed(0)} ms`,
    target: `p99 ≤ ${MOST_MS} ms`,
    pass: p99 <= MOST_MS,
  };
};
