import { z } from 'zod';
import { validations } from './cel-rule.ts';
import { matches, type TextField } from './names.ts';

/** The most scopes that a client may allow, and so the most that a token may have. */
const MAX_SCOPES = 256;

const scopeToken = (path: string) =>
  z
    .string()
    .min(1)
    .max(256)
    .meta({
      description: 'One scope: printable ASCII characters without space, " and \\ (RFC 6749 section 3.3).',
      ...validations(
        matches(
          '^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$',
          `${path} must hold one scope an entry: printable ASCII without space, " and \\ (RFC 6749 section 3.3)`,
        ),
      ),
    });

/** A set of scopes in a spec (RFC 6749 §3.3). */
export const scopes = ({ path, description }: TextField) =>
  z.array(scopeToken(path)).max(MAX_SCOPES).meta({ description, 'x-kubernetes-list-type': 'set' });

/** The scopes that a JWT has; the operator's own, so not merged entry by entry. */
export const grantedScopes = (description: string) =>
  z
    .array(z.string().max(256).meta({ description: 'One scope (RFC 6749 section 3.3).' }))
    .max(MAX_SCOPES)
    .meta({ description, 'x-kubernetes-list-type': 'atomic' });
