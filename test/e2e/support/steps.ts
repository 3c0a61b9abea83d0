/** A walk of steps, each output with its time as it ends; the first that fails ends the walk. */
export interface Walk {
  step<T>(title: string, act: () => Promise<T>): Promise<T>;
  /** A figure or fact that a step has seen, shown below it. */
  note(text: string): void;
  readonly passed: number;
}

/** Prints to stdout. */
export const startWalk = (): Walk => {
  let passed = 0;
  let notes: string[] = [];
  return {
    step: async (title, act) => {
      const startedAt = performance.now();
      const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1);
      notes = [];
      try {
        const result = await act();
        passed++;
        console.log(`ok    ${title} (${seconds()} s)`);
        return result;
      } catch (error) {
        console.log(`FAIL  ${title} (${seconds()} s)`);
        throw error;
      } finally {
        for (const note of notes) console.log(`        ${note}`);
      }
    },
    note: (text) => notes.push(text),
    get passed() {
      return passed;
    },
  };
};
