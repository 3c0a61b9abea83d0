import { z } from 'zod';
import { grantedAudiences } from './audience.ts';
import { type CelRule, celHas } from './cel-rule.ts';
import type { Immutable, Resource } from './meta.ts';
import { recordClientRef, recordText, recordVersion } from './record-fields.ts';
import { grantedScopes } from './scope.ts';
import { time } from './time.ts';
import { MAX_TOKEN_AUDIENCES } from './token-spec.ts';
import { neverFalling } from './transitions.ts';

/** Records that a TokenBatch holds at most: the last byte of a `jti` is its record's position. */
export const MAX_BATCH_RECORDS = 256;

/** What many records say alike. */
const TokenProfileSchema = z
  .object({
    audience: grantedAudiences("The JWT's aud.", MAX_TOKEN_AUDIENCES).optional(),
    scope: grantedScopes("The JWT's scope.").optional(),
    owner: recordText(512, 'Owner of the token.'),
    subject: recordText(512, "The JWT's sub."),
    keyID: recordText(64, 'kid of the key that signed the JWT.'),
  })
  .meta({ description: 'What the records with this profile have in common.' });

/** `spec` of a TokenBatch (spec §2.3): whole after one write. */
export const TokenBatchSpecSchema = z
  .object({
    clientRef: recordClientRef('The OAuthClient whose tokens these are.'),
    clientID: recordText(253, "The JWTs' client_id."),
    clientUID: recordText(64, 'metadata.uid of the OAuthClient.'),
    count: z.int().min(1).max(MAX_BATCH_RECORDS).meta({ description: 'Number of records.', format: 'int32' }),
    expiration: time('When the last of the JWTs expires; absent where one never does.').optional(),
    profiles: z.array(TokenProfileSchema).min(1).max(MAX_BATCH_RECORDS).meta({
      description: 'What several records have in common; each distinct combination once.',
      'x-kubernetes-list-type': 'atomic',
    }),
    tokens: z
      .array(
        z
          .string()
          .max(320)
          .regex(/^[0-9]{1,3} [0-9]{1,12} [0-9]{1,12}( .{1,253})?$/u)
          .meta({
            description:
              'Index of the profile, iat and exp in Unix seconds (0: never expires), and the name if there is one, separated by spaces.',
          }),
      )
      .min(1)
      .max(MAX_BATCH_RECORDS)
      .meta({
        description:
          "One text a record. Its jti is the name of this object with the record's position, as two hexadecimal digits, at its end.",
        'x-kubernetes-list-type': 'atomic',
      }),
    originalTokenClaims: z
      .record(
        z.string(),
        z.record(z.string(), z.unknown()).meta({
          description: 'Claims of one assertion.',
          maxProperties: 256,
          'x-kubernetes-preserve-unknown-fields': true,
        }),
      )
      .meta({
        description: 'Claims of the assertions with which tokens were requested, by position of the record.',
        'x-kubernetes-map-type': 'atomic',
        maxProperties: MAX_BATCH_RECORDS,
      })
      .optional(),
  })
  .meta({ description: 'What the JWTs state. Immutable.' });

/** `status` of a TokenBatch; there is none before one of its tokens is revoked or deleted. */
export const TokenBatchStatusSchema = z
  .object({
    version: recordVersion().optional(),
    blacklisted: z
      .record(z.string(), time('When that token was revoked.'))
      .meta({
        description:
          'Times of revocation, by position of the record. Only grows; a patch of the status that adds a position revokes that token irreversibly.',
        maxProperties: MAX_BATCH_RECORDS,
      })
      .optional(),
    blacklistedCount: z
      .int()
      .min(0)
      .max(MAX_BATCH_RECORDS)
      .meta({ description: 'Number of revoked tokens, as the operator last wrote it.', format: 'int32' })
      .optional(),
    deleted: z
      .array(
        z
          .int()
          .min(0)
          .max(MAX_BATCH_RECORDS - 1)
          .meta({ description: 'A position.', format: 'int32' }),
      )
      .max(MAX_BATCH_RECORDS)
      .meta({
        description: 'Positions of records that no longer exist for any endpoint. Only grows.',
        'x-kubernetes-list-type': 'set',
      })
      .optional(),
  })
  .meta({ description: 'Which of the tokens are revoked or deleted.' });

const onlyGrows = (path: string, item: string, why: string): CelRule => ({
  rule: `!(${celHas(`oldSelf.${path}`)}) || (${celHas(`self.${path}`)} && ${item})`,
  message: `${path} only grows: ${why}`,
  fieldPath: `.${path}`,
  reason: 'FieldValueForbidden',
});

/** Transition rules of a TokenBatch, for every writer and verb, at the root of its schema: they cost nothing at its creation. */
export const TOKEN_BATCH_TRANSITIONS: readonly CelRule[] = [
  {
    rule: 'self.spec == oldSelf.spec',
    message: "spec.* can't be changed: it says what JWTs say",
    fieldPath: '.spec',
    reason: 'FieldValueForbidden',
  },
  onlyGrows(
    'status.blacklisted',
    'oldSelf.status.blacklisted.all(p, p in self.status.blacklisted && self.status.blacklisted[p] == oldSelf.status.blacklisted[p])',
    "a revocation can't be taken back or changed; ask for another token",
  ),
  onlyGrows(
    'status.deleted',
    'oldSelf.status.deleted.all(p, p in self.status.deleted)',
    'a deleted record does not come back; ask for another token',
  ),
  neverFalling('status.version', 'it counts what was recorded of the tokens'),
];

export type TokenProfile = Immutable<z.output<typeof TokenProfileSchema>>;
export type TokenBatchSpec = Immutable<z.output<typeof TokenBatchSpecSchema>>;
export type TokenBatchStatus = Immutable<z.output<typeof TokenBatchStatusSchema>>;
/** Records of tokens that were issued together (spec §2.3). */
export type TokenBatch = Resource<'TokenBatch', TokenBatchSpec, TokenBatchStatus>;
