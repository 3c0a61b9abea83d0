import { z } from 'zod';
import { celText, validations } from './cel-rule.ts';
import type { TextField } from './names.ts';

const MAX_LENGTH = 512;
const VISIBLE = '^[^\\pC\\pZ]+$';
/** RFC 3986 §3: a scheme, then what a URI may hold; quotes are left out, as in most APIs. */
const URI = '^[A-Za-z][-+.A-Za-z0-9]*:([-._~:/?#@!$&()*+,;=A-Za-z0-9]|\\[|\\]|%[0-9A-Fa-f]{2})+$';

/** An audience: a StringOrURI (RFC 7519 §2) without white space, since some requests separate audiences by it. */
export const audience = ({ path, description }: TextField) =>
  z
    .string()
    .min(1)
    .max(MAX_LENGTH)
    .meta({
      description,
      ...validations({
        rule: `self.contains(':') ? self.matches(${celText(URI)}) : self.matches(${celText(VISIBLE)})`,
        message: `${path} must hold audiences without white space and control characters; one with a : must be a URI (RFC 7519 section 2)`,
      }),
    });

/** A set of audiences in a spec, at most `max`. */
export const audiences = ({ path, description }: TextField, max: number) =>
  z
    .array(audience({ path, description: 'One audience: a name, or a URI such as https://api.example.com.' }))
    .max(max)
    .meta({ description, 'x-kubernetes-list-type': 'set' });

/** The audiences that a JWT has; the operator's own, so not merged entry by entry. */
export const grantedAudiences = (description: string, max: number) =>
  z
    .array(z.string().max(MAX_LENGTH).meta({ description: 'One audience.' }))
    .max(max)
    .meta({ description, 'x-kubernetes-list-type': 'atomic' });
