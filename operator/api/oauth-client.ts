import { z } from 'zod';
import { type CelRule, immutable, settableOnce } from './cel-rule.ts';
import { conditionList, observedGeneration } from './conditions.ts';
import type { Immutable, Resource } from './meta.ts';
import type { OAuthClientSpecSchema } from './oauth-client-spec.ts';

/** `status` of an OAuthClient. `clientID` is set only on the client that is registered with it. */
export const OAuthClientStatusSchema = z
  .object({
    clientID: z
      .string()
      .max(253)
      .meta({
        description: 'The client ID that is assigned to this client; absent if another client has it.',
      })
      .optional(),
    issuer: z
      .string()
      .max(1024)
      .meta({
        description:
          'URL of the issuer to which the client belongs. Every other installation leaves it, its Tokens and its records alone.',
      })
      .optional(),
    observedGeneration: observedGeneration().optional(),
    conditions: conditionList(
      'Ready (registered, sufficient for declared Tokens), CredentialsReady (can authenticate over gRPC and HTTP), CredentialsWeak (the client secret is too short, absent otherwise), LimitReached (requests were rejected because of limits, absent otherwise).',
    ).optional(),
  })
  .meta({ description: 'Whether the client is registered. Written by the operator.' });

/** Transition rules of an OAuthClient, at the root of its schema. */
export const OAUTH_CLIENT_TRANSITIONS: readonly CelRule[] = [
  immutable('spec.clientID', 'make another OAuthClient'),
  settableOnce('spec.issuer', 'make another OAuthClient'),
];

export type OAuthClientSpec = Immutable<z.output<typeof OAuthClientSpecSchema>>;
export type OAuthClientStatus = Immutable<z.output<typeof OAuthClientStatusSchema>>;
/** Who may have tokens, and which. */
export type OAuthClient = Resource<'OAuthClient', OAuthClientSpec, OAuthClientStatus>;
