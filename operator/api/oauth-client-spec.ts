import { z } from 'zod';
import { audiences } from './audience.ts';
import { validations } from './cel-rule.ts';
import { duration, zeroOrAtLeast } from './duration.ts';
import { InsertTokenClaimsSchema } from './insert-token-claims.ts';
import { labelSelector } from './labels.ts';
import { matches, printable } from './names.ts';
import { AuthenticationSchema } from './oauth-client-authentication.ts';
import { scopes } from './scope.ts';

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
      description: 'Labels of the namespaces that are allowed; with from: Selector, and only then.',
    }).optional(),
  })
  .meta({
    description: 'From which namespaces a Token may refer to this client; absent means its own.',
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
        description: 'With policy: Audience, and only then: the audiences that this client answers for.',
      },
      64,
    ).optional(),
  })
  .meta({
    description: 'Which tokens the client may introspect (RFC 7662); absent means its own.',
    ...validations({
      rule: "(self.policy == 'Audience') == (has(self.audiences) && size(self.audiences) > 0)",
      message: 'spec.introspection.audiences must be given with policy: Audience, and only then',
      fieldPath: '.audiences',
    }),
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
          'What client_id says; absent means metadata.name. Immutable, and unique among the watched namespaces: the oldest holds it.',
        ...validations(matches('^[\\x21-\\x7E]+$', 'spec.clientID must be printable ASCII without spaces')),
      })
      .optional(),
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
      description: 'The longest lifetime of a token; 0s means unbounded, on purpose.',
      rules: [zeroOrAtLeast('spec.accessTokenLifetime', '1s')],
    }).default('1h'),
    allowedGrantTypes: z
      .array(z.enum(['client_credentials']).meta({ description: 'A grant type (RFC 6749).' }))
      .max(1)
      .default(['client_credentials'])
      .meta({
        description: 'How tokens may be had. An explicit empty list gets no tokens, but may introspect.',
        'x-kubernetes-list-type': 'set',
      }),
    allowedAudiences: audiences(
      {
        path: 'spec.allowedAudiences',
        description: 'Audiences that may be asked for. Empty: none may be. Otherwise one must be.',
      },
      MAX_CLIENT_AUDIENCES,
    ).optional(),
    allowedScopes: scopes({
      path: 'spec.allowedScopes',
      description: 'Scopes that may be asked for; a token that asks for none gets all. Empty: none may be.',
    }).optional(),
    allowedNamespaces: AllowedNamespacesSchema.optional(),
    suspended: z
      .boolean()
      .meta({
        description:
          'True: gets no tokens, and those it has are not good while it lasts. Reversible; absent means false.',
      })
      .optional(),
    recording: z.enum(['PerToken', 'Batched']).default('PerToken').meta({
      description:
        'How tokens that a door hands out are recorded: an IssuedToken each, or many in a TokenBatch, for thousands a second.',
    }),
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
