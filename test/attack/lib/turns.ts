/** Work of which a limited number goes on at a time, in the order of arrival. */
export interface Turns {
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Makes {@link Turns}. */
export const createTurns = (atOnce: number): Turns => {
  let free = atOnce;
  const waiting: (() => void)[] = [];
  return {
    run: async (work) => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        // The place passes straight to the one that has waited longest.
        const next = waiting.shift();
        if (next) next();
        else free += 1;
      }
    },
  };
};
