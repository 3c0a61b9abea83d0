import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** An entry of type `gc`. */
interface Collection extends PerformanceEntry {
  readonly detail?: { readonly kind?: number };
}

const isMajor = ({ detail }: Collection): boolean => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;

/**
 * The size of V8's heap after its last major garbage collection: what is alive, while its size at any other time is mostly garbage. V8
 * ends the process when that reaches the limit of the heap, half of the cgroup's memory limit by default, however much memory is left.
 */
export class LiveHeap {
  #bytes = 0;
  readonly #observer = new PerformanceObserver((list) => {
    if (list.getEntries().some(isMajor)) this.#bytes = getHeapStatistics().used_heap_size;
  });

  /** 0 before the first major collection since {@link LiveHeap.start}. */
  get bytes(): number {
    return this.#bytes;
  }

  get limitBytes(): number {
    return getHeapStatistics().heap_size_limit;
  }

  start(): void {
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    this.#observer.disconnect();
  }
}
