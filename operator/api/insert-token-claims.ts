import { z } from 'zod';
import { celName, validations } from './cel-rule.ts';
import { RESERVED_CLAIMS } from './reserved-claims.ts';

/** Reserved claims that are objects (RFC 7800 §3.1, RFC 8693 §4.1 and §4.4). */
const OBJECTS: readonly string[] = ['cnf', 'act', 'may_act', 'originalTokenClaims'];

const reservedProperty = (name: string) => ({
  description: 'Set by the issuer: rejected here.',
  ...(OBJECTS.includes(name)
    ? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    : { 'x-kubernetes-int-or-string': true }),
});

/**
 * `spec.insertTokenClaims`: any JSON. CEL sees only fields with a schema, so the reserved names have one, of the type that users
 * are likely to set: such a value is rejected by the rule, one of another type by the schema, and null is dropped. The 4 KiB of the
 * specification (spec §2.4) can't be measured here.
 */
export const InsertTokenClaimsSchema = z.record(z.string(), z.unknown()).meta({
  description:
    'Additional claims of the tokens, any JSON, at most 4 KiB and 64 names. Numbers are at most 9007199254740991: a larger one has to be a string. Claims that the issuer may set are rejected, even if it does not set them.',
  maxProperties: 64,
  'x-kubernetes-preserve-unknown-fields': true,
  'x-kubernetes-map-type': 'atomic',
  properties: Object.fromEntries(RESERVED_CLAIMS.map((name) => [name, reservedProperty(name)])),
  ...validations({
    rule: `!(${RESERVED_CLAIMS.map((name) => `has(self.${celName(name)})`).join(' || ')})`,
    message: `spec.insertTokenClaims must not have a claim that the issuer sets: ${RESERVED_CLAIMS.join(', ')}`,
    reason: 'FieldValueForbidden',
  }),
});
