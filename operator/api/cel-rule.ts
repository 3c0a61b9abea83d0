/**
 * One entry of `x-kubernetes-validations`: a CEL expression that has to hold, and what the API server says where it does not.
 * `message` names the field from the top of the object, since users read it apart from the path. `fieldPath` starts at the
 * schema that carries the rule.
 */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired';
}

/** Rules as a part of a schema's metadata. */
export const validations = (...rules: readonly CelRule[]) => ({ 'x-kubernetes-validations': rules });

/** A text as a CEL literal; raw, so that the backslashes of a regular expression stay. It may hold no single quote. */
export const celText = (text: string): string => {
  if (text.includes("'")) throw new RangeError(`no raw CEL literal can hold ${text}`);
  return `r'${text}'`;
};

/** The CEL name of a property whose name is a reserved word of CEL or not an identifier (Kubernetes: property name escaping). */
export const celName = (name: string): string =>
  name === 'namespace' ? '__namespace__' : name.replaceAll('.', '__dot__').replaceAll('/', '__slash__');

/** CEL for "`path` is there": `has()` of every step, from the second on (`self.a.b` gives `has(self.a) && has(self.a.b)`). */
export const celHas = (path: string): string => {
  const steps = path.split('.');
  return steps
    .slice(1)
    .map((_, at) => `has(${steps.slice(0, at + 2).join('.')})`)
    .join(' && ');
};

const escaped = (path: string): string => path.split('.').map(celName).join('.');

/** CEL for "what `path` holds is as it was": neither changed, nor added or removed. */
const isUnchanged = (path: string): string => {
  const [before, after] = [`oldSelf.${escaped(path)}`, `self.${escaped(path)}`];
  return `(${celHas(after)}) == (${celHas(before)}) && (!(${celHas(before)}) || ${after} == ${before})`;
};

/**
 * A transition rule for the root of a schema: the value at `path` can't be changed, added or removed later. Below the root it
 * would not apply to a removal of its parent.
 */
export const immutable = (path: string, advice: string): CelRule => ({
  rule: isUnchanged(path),
  message: `${path} can't be changed, added or removed: ${advice}`,
  fieldPath: `.${path}`,
  reason: 'FieldValueForbidden',
});

/** A transition rule for the root of a schema: the value at `path` can be added, and then neither be changed nor removed. */
export const settableOnce = (path: string, advice: string): CelRule => {
  const [before, after] = [`oldSelf.${escaped(path)}`, `self.${escaped(path)}`];
  return {
    rule: `!(${celHas(before)}) || (${celHas(after)} && ${after} == ${before})`,
    message: `${path} can't be changed or removed once it is there: ${advice}`,
    fieldPath: `.${path}`,
    reason: 'FieldValueForbidden',
  };
};

/**
 * Like {@link immutable} for all of `fields` below `parent` (which is required) in one rule: each rule costs the API server some 0.2 ms a
 * write, and a write that leaves the parent alone ends at the first comparison.
 */
export const immutableBut = (
  { parent, but, fields }: { parent: string; but: string; fields: readonly string[] },
  advice: string,
): CelRule => ({
  rule: `self.${parent} == oldSelf.${parent} || (${fields
    .map((field) => `(${isUnchanged(`${parent}.${field}`)})`)
    .join(' && ')})`,
  message: `${parent}.* can't be changed, but for ${parent}.${but}: ${advice}`,
  fieldPath: `.${parent}`,
  reason: 'FieldValueForbidden',
});
