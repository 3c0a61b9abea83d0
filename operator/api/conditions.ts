import { z } from 'zod';
import { time } from './time.ts';

const ConditionSchema = z
  .object({
    type: z.string().min(1).max(316).meta({ description: 'Type of the condition, such as Ready.' }),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether the condition is met.' }),
    reason: z.string().min(1).max(1024).meta({ description: 'The reason, for programs.' }),
    message: z
      .string()
      .max(32_768)
      .meta({ description: 'The reason, for people: what to change, if anything.' }),
    lastTransitionTime: time('When the status changed last.'),
    observedGeneration: z
      .int()
      .min(0)
      .meta({ description: 'The metadata.generation for which the condition was set.', format: 'int64' })
      .optional(),
  })
  .meta({ description: 'A condition.' });

/** `status.conditions` of every kind, after `metav1.Condition`; `description` says which types there are. */
export const conditionList = (description: string) =>
  z
    .array(ConditionSchema)
    .max(16)
    .meta({ description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });

/** `status.observedGeneration` of every kind. */
export const observedGeneration = () =>
  z
    .int()
    .min(0)
    .meta({ description: 'The metadata.generation for which the status was written.', format: 'int64' });

/** Reasons of a Token's condition `Ready` (spec §2.1). */
export const TOKEN_REASONS = [
  'Issued',
  'Issuing',
  'ClientNotFound',
  'ClientNotReady',
  'ClientSuspended',
  'NamespaceNotAllowed',
  'InvalidAudience',
  'InvalidScope',
  'InvalidExpiration',
  'SecretConflict',
  'SecretRefused',
  'SigningKeyNotReady',
  'Blacklisted',
  'Expired',
] as const;
export type TokenReason = (typeof TOKEN_REASONS)[number];

/** Reasons of a Token's condition `SecretOverwritten`, which is there only while it is True (spec §2.1). */
export const OVERWRITTEN_REASONS = ['FieldsChanged'] as const;
export type OverwrittenReason = (typeof OVERWRITTEN_REASONS)[number];

/** Reasons of an OAuthClient's condition `Ready` (spec §2.4). */
export const CLIENT_REASONS = ['Registered', 'Suspended', 'ClientIDConflict', 'IssuerUndecided'] as const;
export type ClientReason = (typeof CLIENT_REASONS)[number];

/** Reasons of an OAuthClient's condition `CredentialsReady` (spec §2.4). */
export const CREDENTIALS_REASONS = [
  'Verified',
  'NoMethod',
  'SecretInvalid',
  'IssuerNotAllowed',
  'IssuerUnreachable',
] as const;
export type CredentialsReason = (typeof CREDENTIALS_REASONS)[number];

/** Reasons of an OAuthClient's condition `CredentialsWeak`, which is there only while it is True (spec §2.4). */
export const WEAK_CREDENTIALS_REASONS = ['SecretTooShort'] as const;
export type WeakCredentialsReason = (typeof WEAK_CREDENTIALS_REASONS)[number];

/** Reasons of an OAuthClient's condition `LimitReached` (spec §2.4). */
export const LIMIT_REASONS = ['RateExceeded', 'ActiveTokensExceeded'] as const;
export type LimitReason = (typeof LIMIT_REASONS)[number];

/** Reasons of a SigningKey's condition `Ready` (spec §2.5). */
export const SIGNING_KEY_REASONS = ['Active', 'NoActiveKey', 'PrivateKeyInvalid', 'KeyCompromised'] as const;
export type SigningKeyReason = (typeof SIGNING_KEY_REASONS)[number];
