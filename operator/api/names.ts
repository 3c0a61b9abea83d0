import { z } from 'zod';
import { type CelRule, celText, validations } from './cel-rule.ts';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

/** A text field: its path in the object, for messages, and its description. */
export interface TextField {
  readonly path: string;
  readonly description: string;
}

/** A rule that a text matches a regular expression (RE2). */
export const matches = (pattern: string, message: string): CelRule => ({
  rule: `self.matches(${celText(pattern)})`,
  message,
});

/** The name of an object: a DNS-1123 subdomain, at most 253 characters. */
export const objectName = ({ path, description }: TextField) =>
  z
    .string()
    .min(1)
    .max(253)
    .meta({
      description,
      ...validations(
        matches(
          `^${LABEL}(\\.${LABEL})*$`,
          `${path} must be the name of an object: lower case letters, digits, - and ., with a letter or digit at both ends`,
        ),
      ),
    });

/** The name of a namespace: a DNS-1123 label, at most 63 characters. */
export const namespaceName = ({ path, description }: TextField) =>
  z
    .string()
    .min(1)
    .max(63)
    .meta({
      description,
      ...validations(
        matches(
          `^${LABEL}$`,
          `${path} must be the name of a namespace: lower case letters, digits and -, with a letter or digit at both ends`,
        ),
      ),
    });

/** A key of a Secret's data, at most `max` characters. */
export const secretKey = ({ path, description }: TextField, max = 253) =>
  z
    .string()
    .min(1)
    .max(max)
    .meta({
      description,
      ...validations({
        rule: `self.matches(${celText('^[-._a-zA-Z0-9]+$')}) && self != '.' && !self.startsWith('..')`,
        message: `${path} must be a key of a Secret: letters, digits, -, _ and ., and not begin with two dots`,
      }),
    });

/** A text for people and claims: no control characters. */
export const printable = ({ path, description }: TextField, max = 253) =>
  z
    .string()
    .min(1)
    .max(max)
    .meta({
      description,
      ...validations(matches('^\\P{Cc}+$', `${path} must not hold control characters`)),
    });
