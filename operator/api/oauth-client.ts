import { z } from 'zod';
import type { Resource } from './meta.ts';

/** `spec` of an OAuthClient (contract §2.4). */
export const OAuthClientSpecSchema = z.object({
  clientID: z.string().optional(),
  owner: z.string().optional(),
  accessTokenLifetime: z.string().default('1h'),
  allowedGrantTypes: z.array(z.enum(['client_credentials'])).default(['client_credentials']),
  allowedAudiences: z.array(z.string()).optional(),
  allowedScopes: z.array(z.string()).optional(),
  allowedNamespaces: z
    .object({
      from: z.enum(['Same', 'All', 'Selector']).default('Same'),
      selector: z
        .object({
          matchLabels: z.record(z.string(), z.string()).optional(),
          matchExpressions: z
            .array(
              z.object({
                key: z.string(),
                operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
                values: z.array(z.string()).optional(),
              }),
            )
            .optional(),
        })
        .optional(),
    })
    .optional(),
  suspended: z.boolean().optional(),
  recording: z.enum(['PerToken', 'Batched']).default('PerToken'),
  insertTokenClaims: z.record(z.string(), z.unknown()).optional(),
  introspection: z
    .object({
      policy: z.enum(['Own', 'Audience', 'All']).default('Own'),
      audiences: z.array(z.string()).optional(),
    })
    .optional(),
  authentication: z
    .object({
      clientSecret: z
        .object({
          secretRef: z.object({ name: z.string(), key: z.string().default('client_secret') }),
          generate: z.boolean().optional(),
        })
        .optional(),
      privateKeyJWT: z
        .object({
          jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
          jwksURI: z.string().optional(),
          acceptTokenEndpointAudience: z.boolean().optional(),
        })
        .optional(),
      trustedIssuers: z
        .array(
          z.object({
            authority: z.string(),
            audience: z.string(),
            ownerPrefix: z.string().optional(),
            requiredClaims: z.record(z.string(), z.string()).optional(),
            claims: z.array(z.string()).optional(),
            caFile: z.string().optional(),
          }),
        )
        .optional(),
      serviceAccounts: z.array(z.object({ namespace: z.string(), name: z.string() })).optional(),
    })
    .optional(),
});

/** `status` of an OAuthClient. `clientID` is set on the holder of that client ID alone. */
export const OAuthClientStatusSchema = z.object({
  clientID: z.string().optional(),
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

export type OAuthClientSpec = z.output<typeof OAuthClientSpecSchema>;
export type OAuthClientStatus = z.output<typeof OAuthClientStatusSchema>;
/** Who may have tokens, and which. */
export type OAuthClient = Resource<'OAuthClient', OAuthClientSpec, OAuthClientStatus>;
