import type { OAuthClientSpec } from '../../api/oauth-client.ts';

type AllowedNamespaces = NonNullable<OAuthClientSpec['allowedNamespaces']>;
/** `metav1.LabelSelector`. */
export type LabelSelector = NonNullable<AllowedNamespaces['selector']>;
type Requirement = NonNullable<LabelSelector['matchExpressions']>[number];
type Labels = Readonly<Record<string, string>>;

const meets = ({ key, operator, values = [] }: Requirement, labels: Labels): boolean => {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
};

/**
 * Whether labels meet a selector (Kubernetes "Labels and selectors": every requirement has to hold). An
 * empty selector selects everything, an absent one nothing; `NotIn` holds where the label is absent.
 */
export const selects = (selector: LabelSelector | undefined, labels: Labels): boolean => {
  if (selector === undefined) return false;
  const equalities = Object.entries(selector.matchLabels ?? {});
  return (
    equalities.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value) &&
    (selector.matchExpressions ?? []).every((requirement) => meets(requirement, labels))
  );
};
