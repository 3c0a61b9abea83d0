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

/** How CEL spells a property that is a reserved word of its own, or no identifier (Kubernetes: property name escaping). */
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

/**
 * A transition rule for the root of a schema: what `path` holds can neither be changed, nor be added or removed later. Below the
 * root it would miss the removal of its own parent.
 */
export const immutable = (path: string, advice: string): CelRule => {
  const cel = path.split('.').map(celName).join('.');
  const [before, after] = [`oldSelf.${cel}`, `self.${cel}`];
  return {
    rule: `(${celHas(after)}) == (${celHas(before)}) && (!(${celHas(before)}) || ${after} == ${before})`,
    message: `${path} can't be changed, added or removed: ${advice}`,
    fieldPath: `.${path}`,
    reason: 'FieldValueForbidden',
  };
};
