import { once } from 'node:events';
import { quantile } from './latency.ts';
import { isReady, tokenOf, tokensPath, type World } from './world.ts';

/** Declared Tokens that are made one after the other while the operator does something else. */
export interface FreshTokens {
  /** Makes a Token, and waits until a watch shows it Ready. */
  make(): Promise<void>;
  /** Milliseconds from the create to Ready, of each so far. */
  readonly readyAfterMs: readonly number[];
  stop(): void;
}

const PATIENCE_MS = 60_000;

/** Opens the watch, in a namespace of their own. */
export const openFreshTokens = async (world: World): Promise<FreshTokens> => {
  const namespace = await world.api.createNamespace('fresh');
  const path = tokensPath(namespace);
  const ready = new EventTarget();
  const stop = await world.server.watch(path, ({ object }) => {
    if (isReady(object)) ready.dispatchEvent(new Event(object.metadata.name));
  });
  const readyAfterMs: number[] = [];
  const make = async (): Promise<void> => {
    const name = `fresh-${readyAfterMs.length}`;
    const seen = once(ready, name, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const start = performance.now();
    await world.server.write('POST', path, tokenOf(name, namespace));
    await seen;
    readyAfterMs.push(performance.now() - start);
  };
  return { make, readyAfterMs, stop };
};

/** Makes at most `count` while `goesOn` says so, one after the other; milliseconds to Ready of each. */
export const makeFreshTokens = async (
  world: World,
  { count, goesOn }: { readonly count: number; readonly goesOn: () => boolean },
): Promise<readonly number[]> => {
  const fresh = await openFreshTokens(world);
  try {
    while (fresh.readyAfterMs.length < count && goesOn()) await fresh.make();
  } finally {
    fresh.stop();
  }
  return fresh.readyAfterMs;
};

/** `p50 … ms, p99 … ms of … fresh Tokens`. */
export const freshText = (readyAfterMs: readonly number[]): string => {
  const sorted = readyAfterMs.toSorted((a, b) => a - b);
  return `p50 ${quantile(sorted, 0.5).toFixed(0)} ms, p99 ${quantile(sorted, 0.99).toFixed(0)} ms of ${sorted.length} fresh Tokens`;
};
