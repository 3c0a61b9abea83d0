import { z } from 'zod';
import { celName, validations } from './cel-rule.ts';

/** Claims that the issuer sets itself (contract §2.4); the configured owner and device-ID claims come on top, which only the operator knows. */
export const RESERVED_CLAIM_NAMES = [
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'client_id',
  'scope',
  'name',
  'cnf',
  'act',
  'may_act',
  'originalTokenClaims',
  'm2moauth.dev/token',
] as const;

/**
 * `spec.insertTokenClaims`: any JSON. CEL can't look into fields without a schema, so the reserved names have one: a text under
 * such a name is refused by the rule, anything else by its type. The 4 KiB of the contract can't be measured here.
 */
export const InsertTokenClaimsSchema = z.record(z.string(), z.unknown()).meta({
  description:
    'More claims for the tokens, any JSON, at most 4 KiB and 64 names. Claims that the issuer sets are refused, whether it sets them or not.',
  maxProperties: 64,
  'x-kubernetes-preserve-unknown-fields': true,
  'x-kubernetes-map-type': 'atomic',
  properties: Object.fromEntries(
    RESERVED_CLAIM_NAMES.map((name) => [
      name,
      { type: 'string', maxLength: 1024, description: 'Set by the issuer: refused here.' },
    ]),
  ),
  ...validations({
    rule: `!(${RESERVED_CLAIM_NAMES.map((name) => `has(self.${celName(name)})`).join(' || ')})`,
    message: `spec.insertTokenClaims must not have a claim that the issuer sets: ${RESERVED_CLAIM_NAMES.join(', ')}`,
    reason: 'FieldValueForbidden',
  }),
});
