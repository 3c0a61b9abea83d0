import { z } from 'zod';
import { grantedAudiences } from './audience.ts';
import { blacklisted } from './blacklisted.ts';
import { type CelRule, immutableBut } from './cel-rule.ts';
import type { Immutable, Resource } from './meta.ts';
import { recordClientRef, recordText, recordVersion } from './record-fields.ts';
import { grantedScopes } from './scope.ts';
import { time } from './time.ts';
import { MAX_TOKEN_AUDIENCES } from './token-spec.ts';
import { blacklistedForEver, irrevocable, neverFalling } from './transitions.ts';

/** `spec` of an IssuedToken (spec §2.2): whole after one write, since a status given at creation is dropped. */
export const IssuedTokenSpecSchema = z
  .object({
    clientRef: recordClientRef('The OAuthClient whose token this is.'),
    clientID: recordText(253, "The JWT's client_id."),
    clientUID: recordText(64, 'metadata.uid of the OAuthClient.'),
    tokenName: recordText(
      253,
      "A name for people, the JWT's claim name; absent where none was given.",
    ).optional(),
    audience: grantedAudiences("The JWT's aud.", MAX_TOKEN_AUDIENCES).optional(),
    scope: grantedScopes("The JWT's scope.").optional(),
    owner: recordText(512, 'Owner of the token.'),
    subject: recordText(512, "The JWT's sub."),
    issuedAt: time("The JWT's iat."),
    expiration: time("The JWT's exp; absent where it never expires.").optional(),
    keyID: recordText(64, 'kid of the key that signed the JWT.'),
    originalTokenClaims: z
      .record(z.string(), z.unknown())
      .meta({
        description: 'Claims of the assertion with which the token was requested.',
        'x-kubernetes-preserve-unknown-fields': true,
        'x-kubernetes-map-type': 'atomic',
        maxProperties: 256,
      })
      .optional(),
    revoked: z.boolean().meta({ description: 'True revokes the token irreversibly.' }).optional(),
  })
  .meta({ description: 'What the JWT states. Immutable except for revoked.' });

/** `status` of an IssuedToken; there is none before it is blacklisted. */
export const IssuedTokenStatusSchema = z
  .object({
    version: recordVersion().optional(),
    blacklisted: blacklisted().optional(),
  })
  .meta({ description: 'Whether the token is revoked.' });

const ADVICE = 'it says what a JWT says';
const FIXED_FIELDS = Object.keys(IssuedTokenSpecSchema.shape).filter((field) => field !== 'revoked');

/**
 * Transition rules of an IssuedToken, for every writer and verb, at the root of its schema: they cost nothing at its
 * creation. `revoked` is all of its spec that can change.
 */
export const ISSUED_TOKEN_TRANSITIONS: readonly CelRule[] = [
  immutableBut({ parent: 'spec', but: 'revoked', fields: FIXED_FIELDS }, ADVICE),
  irrevocable('spec.revoked', 'ask for another token'),
  blacklistedForEver('ask for another token'),
  neverFalling('status.version', 'it counts what was recorded of the token'),
];

type IssuedTokenSpec = Immutable<z.output<typeof IssuedTokenSpecSchema>>;
type IssuedTokenStatus = Immutable<z.output<typeof IssuedTokenStatusSchema>>;
/** The record of a token issued in response to a request; `metadata.name` is its `jti`. */
export type IssuedToken = Resource<'IssuedToken', IssuedTokenSpec, IssuedTokenStatus>;
