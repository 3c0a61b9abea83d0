import { z } from 'zod';
import { audiences } from './audience.ts';
import { validations } from './cel-rule.ts';
import { InsertTokenClaimsSchema } from './insert-token-claims.ts';
import { labelSelector } from './labels.ts';
import { matches, printable } from './names.ts';
import { AuthenticationSchema } from './oauth-client-authentication.ts';
import { scopes } from './scope.ts';
import { duration, zeroOrAtLeast } from './time.ts';
import { installationURL } from './web-url.ts';

/** The most audiences that a client may allow. */
const MAX_CLIENT_AUDIENCES = 256;

const AllowedNamespacesSchema = z
  .object({
    from: z.enum(['Same', 'All', 'Selector']).default('Same').meta({
      description:
        "Same allows the client's own namespace alone, All every one, Selector those whose labels match selector.",
    }),
    selector: labelSelector({
      path: 'spec.allowedNamespaces.selector',
      description: 'Labels of the allowed namespaces; with from: Selector, and only then.',
    }).optional(),
  })
  .meta({
    description:
      "From which namespaces a Token may refer to this client; absent means the client's namespace.",
    ...validations({
      rule: "(self.from == 'Selector') == has(self.selector)",
      message: 'spec.allowedNamespaces.selector must be given with from: Selector, and only then',
      fieldPath: '.selector',
    }),
  });

const IntrospectionSchema = z
  .object({
    policy: z.enum(['Own', 'Audience', 'All']).default('Own').meta({
      description:
        'Own: tokens issued to this client. Audience: also tokens whose aud has one of audiences. All: every token.',
    }),
    audiences: audiences(
      {
        path: 'spec.introspection.audiences',
        description: 'The audiences of the client; with policy: Audience, and only then.',
      },
      64,
    ).optional(),
  })
  .meta({
    description: 'Which tokens the client may introspect (RFC 7662); absent means those issued to it.',
    ...validations({
      rule: "(self.policy == 'Audience') == (has(self.audiences) && size(self.audiences) > 0)",
      message: 'spec.introspection.audiences must be given with policy: Audience, and only then',
      fieldPath: '.audiences',
    }),
  });

/** The highest rate and burst, and the most live tokens, that a limit may name. */
const MAX_TOKENS_PER_SECOND = 100_000;
const MAX_ACTIVE_TOKENS = 10_000_000;

const LimitsSchema = z
  .object({
    tokensPerSecond: z
      .int()
      .min(0)
      .max(MAX_TOKENS_PER_SECOND)
      .meta({
        description:
          "Issued tokens per second, over all replicas; 0: no limit. Absent: the configuration's limits.perClient.tokensPerSecond.",
        format: 'int32',
      })
      .optional(),
    burst: z
      .int()
      .min(1)
      .max(MAX_TOKENS_PER_SECOND)
      .meta({
        description:
          "Issued tokens at once, after a time without any, over all replicas. Absent: tokensPerSecond, or the configuration's burst if its rate applies.",
        format: 'int32',
      })
      .optional(),
    activeTokens: z
      .int()
      .min(0)
      .max(MAX_ACTIVE_TOKENS)
      .meta({
        description:
          "Issued tokens that are neither expired nor blacklisted at any time; 0: no limit. Absent: the configuration's limits.perClient.activeTokens.",
        format: 'int32',
      })
      .optional(),
  })
  .meta({
    description:
      'How many tokens the client may get over gRPC and HTTP; declared Tokens are not counted. Absent: the limits of the configuration.',
  });

/** `spec` of an OAuthClient (spec §2.4). */
export const OAuthClientSpecSchema = z
  .object({
    clientID: z
      .string()
      .min(1)
      .max(253)
      .meta({
        description:
          'The client_id; absent means metadata.name. Immutable, and unique among the watched namespaces: the oldest OAuthClient gets it.',
        ...validations(matches('^[\\x21-\\x7E]+$', 'spec.clientID must be printable ASCII without spaces')),
      })
      .optional(),
    issuer: installationURL({
      path: 'spec.issuer',
      description:
        'URL of the issuer (issuer.url of an installation) to which the client belongs, for clusters with several installations; absent means the one that has it (status.issuer). It can be added once, which moves the client; then it is immutable.',
    }).optional(),
    owner: printable(
      {
        path: 'spec.owner',
        description:
          "Owner of the client's tokens; required unless authentication.trustedIssuers gives it. Declared Tokens need it.",
      },
      256,
    ).optional(),
    accessTokenLifetime: duration({
      path: 'spec.accessTokenLifetime',
      description: 'The maximum lifetime of a token; 0s means unbounded.',
      rules: [zeroOrAtLeast('spec.accessTokenLifetime', '1s')],
    }).default('1h'),
    allowedGrantTypes: z
      .array(z.enum(['client_credentials']).meta({ description: 'A grant type (RFC 6749).' }))
      .max(1)
      .default(['client_credentials'])
      .meta({
        description:
          'Allowed grant types. With an explicit empty list the client gets no tokens, but may introspect.',
        'x-kubernetes-list-type': 'set',
      }),
    allowedAudiences: audiences(
      {
        path: 'spec.allowedAudiences',
        description:
          'Audiences that may be requested. Empty: none. Otherwise a request must name at least one.',
      },
      MAX_CLIENT_AUDIENCES,
    ).optional(),
    allowedScopes: scopes({
      path: 'spec.allowedScopes',
      description: 'Scopes that may be requested; a request without scope gets all. Empty: none.',
    }).optional(),
    allowedNamespaces: AllowedNamespacesSchema.optional(),
    suspended: z
      .boolean()
      .meta({
        description:
          'True: the client gets no tokens, and its existing tokens are invalid meanwhile. Reversible; absent means false.',
      })
      .optional(),
    recording: z.enum(['PerToken', 'Batched']).default('PerToken').meta({
      description:
        'How tokens issued over gRPC and HTTP are recorded: PerToken in an IssuedToken each, Batched together in a TokenBatch, for thousands per second.',
    }),
    limits: LimitsSchema.optional(),
    insertTokenClaims: InsertTokenClaimsSchema.optional(),
    introspection: IntrospectionSchema.optional(),
    authentication: AuthenticationSchema.optional(),
  })
  .meta({
    description: 'Who may have tokens, and which.',
    ...validations({
      rule: 'has(self.owner) || (has(self.authentication) && has(self.authentication.trustedIssuers) && size(self.authentication.trustedIssuers) > 0)',
      message: 'spec.owner is required unless spec.authentication.trustedIssuers gives the owner',
      fieldPath: '.owner',
      reason: 'FieldValueRequired',
    }),
  });
