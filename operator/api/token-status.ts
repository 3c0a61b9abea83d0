import { z } from 'zod';
import { grantedAudiences } from './audience.ts';
import { blacklisted } from './blacklisted.ts';
import { conditionList, observedGeneration } from './conditions.ts';
import { grantedScopes } from './scope.ts';
import { time } from './time.ts';
import { MAX_TOKEN_AUDIENCES } from './token-spec.ts';

/** The maximum number of previous JWTs of a Token that may still be valid (spec §2.1). */
const MAX_PREVIOUS = 8;

const text = (max: number, description: string) => z.string().max(max).meta({ description });
const counter = (description: string) => z.int().min(0).meta({ description, format: 'int64' });

const PreviousSchema = z
  .object({
    id: text(64, 'Its jti.'),
    issuedAt: time('Its iat.'),
    expiration: time('Until when it is still valid.'),
    keyID: text(64, 'kid of the key that signed it.'),
  })
  .meta({ description: 'A previous JWT.' });

/** `status` of a Token (spec §2.1). Times are RFC 3339 in whole seconds. */
export const TokenStatusSchema = z
  .object({
    id: text(64, "The current JWT's jti: UUIDv5 of metadata.uid and the issuance in decimal.").optional(),
    version: counter('Grows by one with every recorded change.').optional(),
    issuance: counter('Number of the current JWT; the first is 1. It never falls.').optional(),
    owner: text(512, 'Owner of the token.').optional(),
    subject: text(512, "The JWT's sub.").optional(),
    clientID: text(253, "The JWT's client_id.").optional(),
    clientUID: text(
      64,
      'metadata.uid of the OAuthClient: one that is made again under the same name is another.',
    ).optional(),
    keyID: text(64, 'kid of the key that signed the current JWT.').optional(),
    audience: grantedAudiences("The JWT's aud.", MAX_TOKEN_AUDIENCES).optional(),
    scope: grantedScopes("The JWT's scope.").optional(),
    issuedAt: time("The JWT's iat.").optional(),
    expiration: time("The JWT's exp; absent where it never expires.").optional(),
    renewalTime: time('When the token is renewed next; absent where it is not.').optional(),
    originalTokenClaims: z
      .record(z.string(), z.unknown())
      .meta({
        description: 'Claims of the assertion with which the token was requested; none for declared Tokens.',
        'x-kubernetes-preserve-unknown-fields': true,
        'x-kubernetes-map-type': 'atomic',
        maxProperties: 256,
      })
      .optional(),
    claimsDigest: text(64, 'SHA-256 of typ and the claims other than iat, exp and jti.').optional(),
    previous: z
      .array(PreviousSchema)
      .max(MAX_PREVIOUS)
      .meta({
        description: 'Previous JWTs that are still valid, at most 8.',
        'x-kubernetes-list-type': 'atomic',
      })
      .optional(),
    blacklisted: blacklisted().optional(),
    secretRef: z
      .object({ name: text(253, 'Name of the Secret.') })
      .meta({ description: "The Secret with the JWT, in the Token's namespace." })
      .optional(),
    observedGeneration: observedGeneration().optional(),
    lastHandledRenew: text(
      1024,
      'The last handled value of the annotation m2moauth.dev/renew; another value renews the token now.',
    ).optional(),
    conditions: conditionList(
      'Ready (the current JWT is valid and matches the spec), Renewing (False while a renewal fails), Stalled (True if only a person can help), SecretOverwritten (True while others keep changing what the operator writes to the Secret).',
    ).optional(),
  })
  .meta({ description: 'The current JWT and the state of the Token. Written by the operator.' });
