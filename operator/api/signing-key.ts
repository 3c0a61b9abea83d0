import { z } from 'zod';
import { type CelRule, validations } from './cel-rule.ts';
import { conditionList, observedGeneration } from './conditions.ts';
import type { Immutable, Resource } from './meta.ts';
import { matches, objectName, secretKey } from './names.ts';
import { atLeast, celWithDurations, duration, time } from './time.ts';

/** Signature algorithms that a SigningKey may have (spec §2.5, RFC 7518 §3.1, RFC 8037 §3.1). */
export const ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Phases of a key, in the order of its life. */
export const KEY_PHASES = ['Published', 'Active', 'Retired'] as const;
export type KeyPhase = (typeof KEY_PHASES)[number];

const RotationSchema = z
  .object({
    interval: duration({
      path: 'spec.rotation.interval',
      description: 'How long a key signs before the next one takes over; at least 10m.',
      rules: [atLeast('spec.rotation.interval', '10m')],
    }).default('2160h'),
    publishBefore: duration({
      path: 'spec.rotation.publishBefore',
      description:
        'How long a key is published before it may sign, so that verifiers know it by then; at least 300s, the time for which they may cache the key set, and shorter than interval.',
      rules: [atLeast('spec.rotation.publishBefore', '300s')],
    }).default('24h'),
  })
  .meta({
    description: 'When keys are rotated. Not for a provided private key, which changes with its Secret.',
    ...validations({
      rule: celWithDurations(
        ['self.interval', 'self.publishBefore'],
        'duration(self.publishBefore) < duration(self.interval)',
      ),
      message:
        'spec.rotation.publishBefore (24h unless given) must be shorter than spec.rotation.interval: set publishBefore too',
      fieldPath: '.publishBefore',
    }),
  });

const PrivateKeyRefSchema = z
  .object({
    name: objectName({ path: 'spec.privateKeyRef.name', description: 'Name of the Secret.' }),
    key: secretKey({
      path: 'spec.privateKeyRef.key',
      description: 'Key of the PEM in the data of the Secret, such as tls.key.',
    }),
  })
  .meta({
    description:
      "A private key of your own: a Secret in the operator's namespace with a PEM (PKCS8, SEC1 or PKCS1).",
  });

const compromised = () =>
  z
    .array(
      z
        .string()
        .max(43)
        .meta({
          description: 'A kid as in status.keys.',
          ...validations(
            matches(
              '^[A-Za-z0-9_-]{43}$',
              'spec.compromised must hold kids: RFC 7638 thumbprints, 43 base64url characters',
            ),
          ),
        }),
    )
    .max(256)
    .meta({
      description:
        'kids of compromised keys: they are rejected at once, and declared Tokens are reissued. Only grows.',
      'x-kubernetes-list-type': 'set',
    });

/** `spec` of a SigningKey (spec §2.5). */
export const SigningKeySpecSchema = z
  .object({
    algorithm: z.enum(ALGORITHMS).default('ES256').meta({
      description:
        'Signature algorithm of keys that are generated from now on, or that the provided key must fit.',
    }),
    rotation: RotationSchema.optional(),
    privateKeyRef: PrivateKeyRefSchema.optional(),
    compromised: compromised().optional(),
  })
  .meta({ description: 'How tokens are signed.' });

const KeyEntrySchema = z
  .object({
    kid: z.string().min(1).max(64).meta({ description: 'Key ID: the RFC 7638 thumbprint.' }),
    algorithm: z.enum(ALGORITHMS).meta({ description: 'Signature algorithm.' }),
    phase: z.enum(KEY_PHASES).meta({
      description: 'Published (in the JWKS, does not sign yet), Active (signs) or Retired (verifies only).',
    }),
    publishedAt: time('When it was published.'),
    activatedAt: time('When it began to sign.').optional(),
    retiredAt: time('When it ceased to sign.').optional(),
    lastExpiration: time('When the last token that it signed expires.').optional(),
    secretRef: z
      .object({
        name: z.string().max(253).meta({ description: 'Name of the Secret.' }),
        key: z.string().max(253).meta({ description: 'Key of the PEM in its data.' }).optional(),
      })
      .meta({ description: 'The Secret with the private half; absent after that was deleted.' })
      .optional(),
    publicJWK: z.record(z.string(), z.unknown()).meta({
      description: 'The public half (RFC 7517).',
      maxProperties: 32,
      'x-kubernetes-preserve-unknown-fields': true,
      'x-kubernetes-map-type': 'atomic',
    }),
  })
  .meta({ description: 'A key.' });

/** `status` of a SigningKey. */
export const SigningKeyStatusSchema = z
  .object({
    keys: z
      .array(KeyEntrySchema)
      .max(256)
      .meta({
        description:
          'The keys: one Active, one Published that signs next, and the Retired ones whose tokens have not expired.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['kid'],
      })
      .optional(),
    lastHandledRotate: z
      .string()
      .max(1024)
      .meta({
        description:
          'The last handled value of the annotation m2moauth.dev/rotate; another value rotates now.',
      })
      .optional(),
    observedGeneration: observedGeneration().optional(),
    conditions: conditionList('Ready (there is a key that signs).').optional(),
  })
  .meta({ description: 'The keys and their phases. Written by the operator.' });

/** Rules at the root of a SigningKey's schema. Its name is a label's value on the key Secrets, hence 63. */
export const SIGNING_KEY_RULES: readonly CelRule[] = [
  {
    rule: 'self.metadata.name.size() <= 63',
    message: 'metadata.name must have at most 63 characters: labels hold it',
  },
  {
    rule: '!has(oldSelf.spec.compromised) || (has(self.spec.compromised) && oldSelf.spec.compromised.all(kid, kid in self.spec.compromised))',
    message: "spec.compromised only grows: what is known to others can't be made secret again",
    fieldPath: '.spec.compromised',
    reason: 'FieldValueForbidden',
  },
];

export type SigningKeySpec = Immutable<z.output<typeof SigningKeySpecSchema>>;
export type SigningKeyStatus = Immutable<z.output<typeof SigningKeyStatusSchema>>;
/** One entry of `status.keys`. */
export type KeyEntry = NonNullable<SigningKeyStatus['keys']>[number];
/** The keys that sign, and the public halves that verify. */
export type SigningKey = Resource<'SigningKey', SigningKeySpec, SigningKeyStatus>;
