import { BoundedMap } from '../../async/bounded-map.ts';

/** Texts that one function caches, some 500 bytes each. */
const MAX_CACHED = 8192;

/** The same function, but it caches its result for frozen objects, by identity: they never change. Other objects are not cached. */
export const memoizeFrozen = <T extends object>(format: (source: T) => string): ((source: T) => string) => {
  const texts = new BoundedMap<T, string>(MAX_CACHED);
  return (source) => {
    const known = texts.get(source);
    if (known !== undefined) return known;
    const text = format(source);
    if (Object.isFrozen(source)) texts.set(source, text);
    return text;
  };
};
