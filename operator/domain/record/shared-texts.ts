/** Texts that are kept; where more are in use they are kept several times over. */
const MAX_SHARED = 8192;

const shareIn = <T>(known: Map<string, T>, key: string, value: T): T => {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= MAX_SHARED) known.clear();
  known.set(key, value);
  return value;
};

const texts = new Map<string, string>();
const lists = new Map<string, readonly string[]>();

/** An equal text, the same for all who ask: what a hundred thousand records have in common is in memory once. */
export const sharedText = (text: string): string => shareIn(texts, text, text);

/** Likewise a list of texts, which is frozen. */
export const sharedList = (list: readonly string[]): readonly string[] =>
  shareIn(lists, JSON.stringify(list), Object.freeze(list.map(sharedText)));
