/** One at a time by key, in the order of arrival. Who waits is bounded by whoever calls. */
export interface KeyedMutex {
  take<T>(key: string, work: () => Promise<T>): Promise<T>;
}

/** Makes {@link KeyedMutex}; a key without waiters takes no memory. */
export const createKeyedMutex = (): KeyedMutex => {
  const last = new Map<string, Promise<unknown>>();
  return {
    take: async (key, work) => {
      const before = last.get(key);
      const mine = before ? before.then(work, work) : work();
      last.set(key, mine);
      try {
        return await mine;
      } finally {
        if (last.get(key) === mine) last.delete(key);
      }
    },
  };
};
