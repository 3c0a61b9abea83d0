import type { KubeObject } from '../../operator/api/meta.ts';
import { systemClock } from '../../operator/ops/system-clock.ts';
import type { CacheChange } from '../../operator/ports/cache.ts';
import type { ListWatch } from '../../operator/ports/watch.ts';
import { Informer } from '../../operator/runtime/informer.ts';
import { Rewinds } from '../../operator/runtime/rewinds.ts';
import type { TestKube } from './kube.ts';

/** A running informer, and every change that it reported. */
export interface Watched<T extends KubeObject> extends AsyncDisposable {
  readonly informer: Informer<T>;
  readonly changes: CacheChange<T>[];
  /** Each change as `set <name>` or `delete <name>`. */
  reported(): string[];
  /** Why watches were started again, so far. */
  restarts(): unknown[];
}

/** Starts an informer over one source and waits until it is synced. */
export const watch = async <T extends KubeObject>(
  kube: TestKube,
  listWatch: ListWatch<T>,
  options: { readonly namespace?: string; readonly onChange?: (change: CacheChange<T>) => void } = {},
): Promise<Watched<T>> => {
  const { log, metrics } = kube;
  const { namespace, onChange } = options;
  const source = { listWatch, ...(namespace !== undefined && { namespace }) };
  const informer = new Informer<T>({
    name: 'test',
    sources: [source],
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
    rewinds: new Rewinds(log),
  });
  const changes: CacheChange<T>[] = [];
  if (onChange) informer.cache.onChange(onChange);
  informer.cache.onChange((change) => changes.push(change));
  const stop = new AbortController();
  informer.start(stop.signal);
  await informer.whenSynced(stop.signal);
  return {
    informer,
    changes,
    reported: () => changes.map(({ type, key }) => `${type} ${key.split('/').at(-1)}`),
    restarts: () => metrics.calls.filter(([name]) => name === 'watchRestarted').map((call) => call[2]),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await informer.stopped();
    },
  };
};
