import { z } from 'zod';
import { audiences } from './audience.ts';
import { validations } from './cel-rule.ts';
import { userAnnotations, userLabels } from './labels.ts';
import { namespaceName, objectName, printable, secretKey } from './names.ts';
import { scopes } from './scope.ts';
import { atLeast, duration, givenTime } from './time.ts';
import { TOKEN_SPEC_RULES } from './token-rules.ts';

/** The most audiences of one token. */
export const MAX_TOKEN_AUDIENCES = 64;

const ClientRefSchema = z
  .object({
    name: objectName({ path: 'spec.clientRef.name', description: 'Name of the OAuthClient.' }),
    namespace: namespaceName({
      path: 'spec.clientRef.namespace',
      description:
        "Namespace of the OAuthClient; absent means the Token's own. Another one has to be allowed by the client's spec.allowedNamespaces.",
    }).optional(),
  })
  .meta({
    description:
      'The OAuthClient whose token this is. Immutable: neither part can be changed, added or removed later.',
  });

const RenewalSchema = z
  .object({
    policy: z
      .enum(['Auto', 'Never'])
      .meta({
        description:
          'Auto renews the token before it expires; Never lets it expire. Absent means Auto, or Never with spec.expiration. Auto needs a lifetime of at least 1m.',
      })
      .optional(),
    renewBefore: duration({
      path: 'spec.renewal.renewBefore',
      description:
        'How long before its expiry the token is renewed; absent means a third of its lifetime. It is not renewed much before half of its lifetime.',
    }).optional(),
    overlap: duration({
      path: 'spec.renewal.overlap',
      description:
        'How long the previous JWT stays valid after a renewal; absent means until it expires (1h if it never does). At most 10m if claims changed, not at all if its key or its client is no longer trusted.',
    }).optional(),
  })
  .meta({ description: 'Whether and when the token is renewed, and how long the previous JWT stays valid.' });

const SecretSchema = z
  .object({
    name: objectName({
      path: 'spec.secret.name',
      description:
        "Name of the Secret, in the Token's namespace; absent means the Token's name. A Secret of that name that the Token does not own is never touched.",
    }).optional(),
    key: secretKey({
      path: 'spec.secret.key',
      description: 'Key of the JWT in the data of the Secret; absent means token.',
    }).optional(),
    labels: userLabels({ path: 'spec.secret.labels', description: 'Labels for the Secret.' }).optional(),
    annotations: userAnnotations({
      path: 'spec.secret.annotations',
      description: 'Annotations for the Secret.',
    }).optional(),
  })
  .meta({
    description: 'The Secret with the JWT. A change moves the JWT and removes the previous Secret.',
  });

/** `spec` of a Token (spec §2.1). */
export const TokenSpecSchema = z
  .object({
    clientRef: ClientRefSchema,
    tokenName: printable({
      path: 'spec.tokenName',
      description:
        "A name for people, the JWT's claim name; absent means metadata.name. 1 to 253 characters.",
    }).optional(),
    audience: audiences(
      {
        path: 'spec.audience',
        description:
          "For whom the token is, the JWT's claim aud. Each must be among the client's spec.allowedAudiences; one is needed if the client has any.",
      },
      MAX_TOKEN_AUDIENCES,
    ).optional(),
    scope: scopes({
      path: 'spec.scope',
      description:
        "What the token allows, the JWT's claim scope. Each must be among the client's spec.allowedScopes; absent or empty means all of those.",
    }).optional(),
    expiration: givenTime(
      "When the token expires, absolutely; not with spec.lifetime. It must be in the future, and within the client's spec.accessTokenLifetime.",
    ).optional(),
    lifetime: duration({
      path: 'spec.lifetime',
      description:
        "How long each JWT is valid; not with spec.expiration. At most the client's spec.accessTokenLifetime, which is the default.",
      rules: [atLeast('spec.lifetime', '1s')],
    }).optional(),
    renewal: RenewalSchema.optional(),
    secret: SecretSchema.optional(),
    revoked: z
      .boolean()
      .meta({
        description: 'True revokes the token irreversibly: it is blacklisted and its Secret is removed.',
      })
      .optional(),
    ttlSecondsAfterExpired: z
      .int()
      .min(0)
      .max(2_147_483_647)
      .meta({
        format: 'int32',
        description:
          'Seconds after the expiry until the Token is deleted; absent means never. Only with spec.expiration or renewal policy Never. A GitOps tool would create the Token again.',
      })
      .optional(),
  })
  .meta({
    description: 'The requested token, and where it is delivered.',
    ...validations(...TOKEN_SPEC_RULES),
  });
