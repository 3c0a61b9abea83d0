import { z } from 'zod';
import type { Resource } from './meta.ts';

/** Signature algorithms that a SigningKey may have (contract §2.5, RFC 7518 §3.1, RFC 8037 §3.1). */
export const ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Phases of a key, in the order of its life. */
export const KEY_PHASES = ['Published', 'Active', 'Retired'] as const;
export type KeyPhase = (typeof KEY_PHASES)[number];

/** `spec` of a SigningKey (contract §2.5). */
export const SigningKeySpecSchema = z.object({
  algorithm: z.enum(ALGORITHMS).default('ES256'),
  rotation: z
    .object({ interval: z.string().default('2160h'), publishBefore: z.string().default('24h') })
    .optional(),
  privateKeyRef: z.object({ name: z.string(), key: z.string() }).optional(),
  compromised: z.array(z.string()).optional(),
});

/** `status` of a SigningKey. */
export const SigningKeyStatusSchema = z.object({
  keys: z
    .array(
      z.object({
        kid: z.string(),
        algorithm: z.enum(ALGORITHMS),
        phase: z.enum(KEY_PHASES),
        publishedAt: z.string().meta({ format: 'date-time' }),
        activatedAt: z.string().meta({ format: 'date-time' }).optional(),
        retiredAt: z.string().meta({ format: 'date-time' }).optional(),
        lastExpiration: z.string().meta({ format: 'date-time' }).optional(),
        secretRef: z.object({ name: z.string(), key: z.string().optional() }).optional(),
        publicJWK: z.record(z.string(), z.unknown()),
      }),
    )
    .optional(),
  lastHandledRotate: z.string().optional(),
  observedGeneration: z.int().optional(),
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

export type SigningKeySpec = z.output<typeof SigningKeySpecSchema>;
export type SigningKeyStatus = z.output<typeof SigningKeyStatusSchema>;
/** One entry of `status.keys`. */
export type KeyEntry = NonNullable<SigningKeyStatus['keys']>[number];
/** The keys that sign, and the public halves that verify. */
export type SigningKey = Resource<'SigningKey', SigningKeySpec, SigningKeyStatus>;
