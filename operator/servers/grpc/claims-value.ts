/** Objects and arrays in one another: other stacks read messages no deeper than 100, and a google.protobuf.Value takes three for each. */
const MAX_DEPTH = 30;

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/**
 * Whether a google.protobuf.Value can say the same: the generated code throws for a bigint, makes `{}` of a Date and
 * nothing of an undefined, and writes what is so deep that nobody can read it.
 */
export const fitsValue = (value: unknown, depth = 0): boolean => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      if (value === null) return true;
      if (depth >= MAX_DEPTH) return false;
      if (Array.isArray(value)) return value.every((item) => fitsValue(item, depth + 1));
      return isPlain(value) && Object.values(value).every((item) => fitsValue(item, depth + 1));
    default:
      return false;
  }
};
