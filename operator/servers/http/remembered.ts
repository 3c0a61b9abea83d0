import { BoundedMap } from '../../async/bounded-map.ts';

/** Entries of one memory, some 500 bytes each. */
const MAX_REMEMBERED = 8192;

/**
 * The same function, with what it made of the frozen objects that it was asked about last: such an object never changes, so what is
 * made of it does not either, and what takes its place is another object. Others are made anew each time.
 */
export const remembered = <T extends object>(make: (source: T) => string): ((source: T) => string) => {
  const made = new BoundedMap<T, string>(MAX_REMEMBERED);
  return (source) => {
    const known = made.get(source);
    if (known !== undefined) return known;
    const text = make(source);
    if (!Object.isFrozen(source)) return text;
    made.set(source, text);
    return text;
  };
};
