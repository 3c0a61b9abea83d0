import { z } from 'zod';
import { celText, validations } from './cel-rule.ts';
import { GROUP, MANAGED_BY_LABEL } from './meta.ts';
import { matches, type TextField } from './names.ts';

const NAME = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
/** A qualified name: `<DNS subdomain>/<name>` or `<name>`. */
const KEY = `^(${LABEL}(\\.${LABEL})*/)?${NAME}$`;
const MAX_KEY = 317;
const MAX_ENTRIES = 32;

const labelValue = (path: string) =>
  z
    .string()
    .max(63)
    .meta({
      description: 'The value of a label.',
      ...validations(
        matches(`^(${NAME})?$`, `${path} must have label values: letters, digits, -, _ and ., at most 63`),
      ),
    });

/** `indexOf` is the length of the prefix. */
const keyRule = (path: string) => ({
  rule: `self.all(key, key.indexOf('/') <= 253 && key.matches(${celText(KEY)}))`,
  message: `${path} must have keys such as name or example.com/name`,
});

const ownKeyRule = (path: string) => ({
  rule: `self.all(key, key != '${MANAGED_BY_LABEL}' && !key.startsWith('${GROUP}/'))`,
  message: `${path} must not set ${MANAGED_BY_LABEL} or keys under ${GROUP}/: those are the operator's`,
  reason: 'FieldValueForbidden' as const,
});

/** Labels that a user adds to an object of the operator; those of the operator are rejected. */
export const userLabels = ({ path, description }: TextField) =>
  z.record(z.string(), labelValue(path)).meta({
    description,
    maxProperties: MAX_ENTRIES,
    ...validations(keyRule(path), ownKeyRule(path)),
  });

/** Annotations that a user adds to an object of the operator; those of the operator are rejected. */
export const userAnnotations = ({ path, description }: TextField) =>
  z.record(z.string(), z.string().max(4096).meta({ description: 'The value of an annotation.' })).meta({
    description,
    maxProperties: MAX_ENTRIES,
    ...validations(keyRule(path), ownKeyRule(path)),
  });

const selectorValues = (path: string) =>
  z.array(labelValue(path)).max(64).meta({
    description: 'Values for In and NotIn; none for Exists and DoesNotExist.',
    'x-kubernetes-list-type': 'atomic',
  });

const matchExpression = (path: string) =>
  z
    .object({
      key: z
        .string()
        .min(1)
        .max(MAX_KEY)
        .meta({
          description: 'Key of the label.',
          ...validations(matches(KEY, `${path}.key must be a label key such as name or example.com/name`)),
        }),
      operator: z
        .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
        .meta({ description: 'Operator of the comparison.' }),
      values: selectorValues(`${path}.values`).optional(),
    })
    .meta({
      description: 'A requirement on labels.',
      ...validations({
        rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
        message: `${path}.values must be given with the operators In and NotIn, and only with them`,
      }),
    });

/** A `metav1.LabelSelector`: all of its conditions must hold, and an empty one selects everything. */
export const labelSelector = ({ path, description }: TextField) =>
  z
    .object({
      matchLabels: z
        .record(z.string(), labelValue(`${path}.matchLabels`))
        .meta({
          description: 'Labels that must be present with these values.',
          maxProperties: MAX_ENTRIES,
          ...validations(keyRule(`${path}.matchLabels`)),
        })
        .optional(),
      matchExpressions: z
        .array(matchExpression(`${path}.matchExpressions`))
        .max(MAX_ENTRIES)
        .meta({
          description: 'Requirements that must all be met.',
          'x-kubernetes-list-type': 'atomic',
        })
        .optional(),
    })
    .meta({ description, 'x-kubernetes-map-type': 'atomic' });
