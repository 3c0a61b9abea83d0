import { canonicalJson } from '../canonical-json.ts';

/** The ConfigMap in the operator's namespace that remembers the compromised keys of every SigningKey, deleted ones too. */
export const COMPROMISED_KEYS_CONFIG_MAP = 'm2m-oauth-compromised-keys';
/** Data key of the kids, a JSON list. */
const KIDS = 'kids.json';
/** Data key that is `true` once a kid did not fit. */
const OVERFLOWED = 'overflowed';
/** Kids that are remembered: 740 KiB, of the 1 MiB that a ConfigMap may have. */
export const MAX_REMEMBERED = 16_384;

/** What kids of this issuer's keys are (RFC 7638): a SHA-256 in base64url. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/u;

/** The compromised keys that are remembered. */
export interface CompromisedKeys {
  readonly kids: ReadonlySet<string>;
  /** Kids were left out: whether a key that is new to a SigningKey was compromised can't be known any more. */
  readonly hasOverflowed: boolean;
}

type Data = Readonly<Record<string, string>>;

const readKids = (text: string | undefined): readonly unknown[] => {
  try {
    const value: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
};

const isThumbprint = (value: unknown): value is string => typeof value === 'string' && THUMBPRINT.test(value);

/** Reads the data of the ConfigMap; what can't be read is none. */
export const readCompromisedKeys = (data: Data = {}): CompromisedKeys => ({
  kids: new Set(readKids(data[KIDS]).filter(isThumbprint).slice(0, MAX_REMEMBERED)),
  hasOverflowed: data[OVERFLOWED] === 'true',
});

/** Adds kids, as long as there is room: none is ever forgotten for another. */
export const addCompromised = (known: CompromisedKeys, kids: Iterable<string>): CompromisedKeys => {
  const all = new Set(known.kids);
  let { hasOverflowed } = known;
  for (const kid of kids) {
    if (all.has(kid) || !isThumbprint(kid)) continue;
    if (all.size < MAX_REMEMBERED) all.add(kid);
    else hasOverflowed = true;
  }
  return { kids: all, hasOverflowed };
};

/** The data of the ConfigMap, the same for equal keys; what others added stays. */
export const writeCompromisedKeys = ({ kids, hasOverflowed }: CompromisedKeys, data: Data = {}): Data => ({
  ...data,
  [KIDS]: JSON.stringify([...kids].sort()),
  ...(hasOverflowed && { [OVERFLOWED]: 'true' }),
});

/** Whether both remember the same. */
export const areSameKeys = (a: CompromisedKeys, b: CompromisedKeys): boolean =>
  canonicalJson(writeCompromisedKeys(a)) === canonicalJson(writeCompromisedKeys(b));
