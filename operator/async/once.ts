/** A function that calls `work` the first time it is called, and does nothing afterwards. */
export const once = (work: () => void): (() => void) => {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
};
