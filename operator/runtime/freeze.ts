/** Freezes plain JSON to its leaves, in place, and returns it. What is frozen already is taken as frozen throughout. */
export const freezeDeep = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key in value) {
    const inner = value[key];
    if (typeof inner === 'object' && inner !== null) freezeDeep(inner);
  }
  return value;
};
