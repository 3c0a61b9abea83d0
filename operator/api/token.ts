import { z } from 'zod';
import type { Resource } from './meta.ts';

/** `spec` of a Token (contract §2.1). */
export const TokenSpecSchema = z.object({
  clientRef: z.object({ name: z.string(), namespace: z.string().optional() }),
  tokenName: z.string().optional(),
  audience: z.array(z.string()).optional(),
  scope: z.array(z.string()).optional(),
  expiration: z.string().meta({ format: 'date-time' }).optional(),
  lifetime: z.string().optional(),
  renewal: z
    .object({
      policy: z.enum(['Auto', 'Never']).optional(),
      renewBefore: z.string().optional(),
      overlap: z.string().optional(),
    })
    .optional(),
  secret: z
    .object({
      name: z.string().optional(),
      key: z.string().optional(),
      labels: z.record(z.string(), z.string()).optional(),
      annotations: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
  revoked: z.boolean().optional(),
  ttlSecondsAfterExpired: z.int().optional(),
});

/** `status` of a Token (contract §2.1). Times are RFC 3339 in whole seconds. */
export const TokenStatusSchema = z.object({
  id: z.string().optional(),
  version: z.int().optional(),
  issuance: z.int().optional(),
  owner: z.string().optional(),
  subject: z.string().optional(),
  clientID: z.string().optional(),
  clientUID: z.string().optional(),
  keyID: z.string().optional(),
  audience: z.array(z.string()).optional(),
  scope: z.array(z.string()).optional(),
  issuedAt: z.string().meta({ format: 'date-time' }).optional(),
  expiration: z.string().meta({ format: 'date-time' }).optional(),
  renewalTime: z.string().meta({ format: 'date-time' }).optional(),
  originalTokenClaims: z.record(z.string(), z.unknown()).optional(),
  claimsDigest: z.string().optional(),
  previous: z
    .array(
      z.object({
        id: z.string(),
        issuedAt: z.string().meta({ format: 'date-time' }),
        expiration: z.string().meta({ format: 'date-time' }),
        keyID: z.string(),
      }),
    )
    .optional(),
  blacklisted: z
    .object({ flag: z.boolean(), timestamp: z.string().meta({ format: 'date-time' }) })
    .optional(),
  secretRef: z.object({ name: z.string() }).optional(),
  observedGeneration: z.int().optional(),
  lastHandledRenew: z.string().optional(),
  conditions: z
    .array(
      z.object({
        type: z.string(),
        status: z.enum(['True', 'False', 'Unknown']),
        reason: z.string(),
        message: z.string(),
        lastTransitionTime: z.string().meta({ format: 'date-time' }),
        observedGeneration: z.int().optional(),
      }),
    )
    .optional(),
});

export type TokenSpec = z.output<typeof TokenSpecSchema>;
export type TokenStatus = z.output<typeof TokenStatusSchema>;
/** A declared token: what a user asks for, and what the current JWT says. */
export type Token = Resource<'Token', TokenSpec, TokenStatus>;
