import { z } from 'zod';
import { audience } from './audience.ts';
import { validations } from './cel-rule.ts';
import { publicJwks } from './jwk.ts';
import { matches, namespaceName, objectName, secretKey } from './names.ts';
import { documentURL, issuerURL } from './web-url.ts';

const PATH = 'spec.authentication';
/** What is left of a Secret key's 253 characters for the suffix `_previous`. */
const MAX_SECRET_KEY = 244;

const claimName = () => z.string().min(1).max(256).meta({ description: 'Name of a claim.' });

const ClientSecretSchema = z
  .object({
    secretRef: z
      .object({
        name: objectName({ path: `${PATH}.clientSecret.secretRef.name`, description: 'Name of the Secret.' }),
        key: secretKey(
          {
            path: `${PATH}.clientSecret.secretRef.key`,
            description:
              'Key of the client secret in its data. The key with the suffix _previous is accepted too, for rotation.',
          },
          MAX_SECRET_KEY,
        ).default('client_secret'),
      })
      .meta({ description: "The Secret with the client secret, in the client's namespace." }),
    generate: z
      .boolean()
      .meta({
        description:
          'True creates the Secret if it is missing: the client ID as client_id, and a random client secret of 43 characters.',
      })
      .optional(),
  })
  .meta({
    description: 'A shared secret. It is accepted only if no other method is configured.',
    ...validations({
      rule: "!(has(self.generate) && self.generate && has(self.secretRef.key) && self.secretRef.key == 'client_id')",
      message: `${PATH}.clientSecret.secretRef.key must not be client_id where generate is true: the client ID goes there`,
      fieldPath: '.secretRef.key',
    }),
  });

const PrivateKeyJwtSchema = z
  .object({
    jwks: publicJwks({
      path: `${PATH}.privateKeyJWT.jwks`,
      description: "The client's public keys.",
    }).optional(),
    jwksURI: documentURL({
      path: `${PATH}.privateKeyJWT.jwksURI`,
      description: "https URL of the client's public keys, fetched again at most hourly.",
    }).optional(),
    acceptTokenEndpointAudience: z
      .boolean()
      .meta({
        description:
          "True accepts the token endpoint's URL as the assertion's audience beside the issuer's; absent means false.",
      })
      .optional(),
  })
  .meta({
    description: 'The client signs an assertion with its own key (RFC 7523).',
    ...validations({
      rule: 'has(self.jwks) != has(self.jwksURI)',
      message: `${PATH}.privateKeyJWT must have either jwks or jwksURI`,
      fieldPath: '.jwks',
    }),
  });

const TRUSTED = `${PATH}.trustedIssuers`;

const TrustedIssuerSchema = z
  .object({
    authority: issuerURL({
      path: `${TRUSTED}.authority`,
      description:
        "URL of the issuer as its discovery document has it, but for one slash at the end; its tokens' iss equals one of the two.",
    }),
    audience: audience({
      path: `${TRUSTED}.audience`,
      description:
        'What the aud of its tokens must contain. * accepts any audience, also tokens issued for other services.',
    }),
    ownerPrefix: z
      .string()
      .max(128)
      .meta({
        description:
          "Prepended to owner and subject from this issuer, so that they can't collide with those of other issuers. Required; empty on purpose only.",
        ...validations(matches('^\\P{Cc}*$', `${TRUSTED}.ownerPrefix must not hold control characters`)),
      })
      .optional(),
    requiredClaims: z
      .record(z.string(), z.string().max(1024).meta({ description: 'The value that the claim must have.' }))
      .meta({ description: 'Claims that its tokens must have, with these values.', maxProperties: 16 })
      .optional(),
    claims: z
      .array(claimName())
      .max(64)
      .meta({
        description:
          'Which of its claims become originalTokenClaims; absent means all. At most 4 KiB in total.',
        'x-kubernetes-list-type': 'set',
      })
      .optional(),
    additionalTypes: z
      .array(
        z
          .string()
          .min(1)
          .max(128)
          .meta({
            description: 'A type, such as JOSE.',
            ...validations(
              matches(
                '^[-A-Za-z0-9!#$&^_.+/]+$',
                `${TRUSTED}.additionalTypes must be media types such as JOSE or application/example+jwt, or id_token`,
              ),
            ),
          }),
      )
      .max(8)
      .meta({
        description:
          'Types (header typ) of its tokens that are accepted beside JWT, at+jwt and none. id_token: OpenID Connect ID tokens.',
        'x-kubernetes-list-type': 'set',
      })
      .optional(),
    oneTimeUse: z
      .boolean()
      .meta({
        description:
          'True: each of its tokens, which need a jti, is accepted for one token only, within 5 minutes of its iat; absent means false.',
      })
      .optional(),
    caFile: z
      .string()
      .min(1)
      .max(1024)
      .meta({
        description:
          "File in the operator's container with the certificate authorities of this issuer (PEM); absent means those of the configuration.",
        ...validations(
          matches('^/\\P{Cc}*$', `${TRUSTED}.caFile must be an absolute path such as /etc/ca/ca.crt`),
        ),
      })
      .optional(),
  })
  .meta({
    description: 'An issuer whose tokens are assertions of this client.',
    // Not `required`, so that the message can say what to do. Stored entries without it go on until they are changed: Kubernetes applies
    // a rule that is no transition rule to what a write changes (validation ratcheting, 1.30).
    ...validations({
      rule: 'has(self.ownerPrefix)',
      message: `${TRUSTED}.ownerPrefix is required: set it, to "" if owners from this issuer are to be those of other issuers and clients`,
      fieldPath: '.ownerPrefix',
      reason: 'FieldValueRequired',
    }),
  });

const ServiceAccountSchema = z
  .object({
    namespace: namespaceName({
      path: `${PATH}.serviceAccounts.namespace`,
      description: 'Namespace of the ServiceAccount.',
    }),
    name: objectName({ path: `${PATH}.serviceAccounts.name`, description: 'Name of the ServiceAccount.' }),
  })
  .meta({ description: 'A ServiceAccount.' });

/** `spec.authentication` of an OAuthClient (spec §2.4). */
export const AuthenticationSchema = z
  .object({
    clientSecret: ClientSecretSchema.optional(),
    privateKeyJWT: PrivateKeyJwtSchema.optional(),
    trustedIssuers: z
      .array(TrustedIssuerSchema)
      .max(16)
      .meta({
        description:
          'The assertion is a JWT of one of these OpenID providers; owner and subject come from it.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['authority', 'audience'],
        ...validations({
          rule: "!self.exists(a, self.exists(b, b.authority == a.authority + '/' && b.audience == a.audience))",
          message: `${TRUSTED} must not have two entries that differ by a slash at the end of authority alone: remove one of them`,
        }),
      })
      .optional(),
    serviceAccounts: z
      .array(ServiceAccountSchema)
      .max(64)
      .meta({
        description:
          "The assertion is a projected token, for the issuer's URL as audience, of one of these ServiceAccounts: no stored secret at all.",
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['namespace', 'name'],
      })
      .optional(),
  })
  .meta({
    description:
      'How the client authenticates over gRPC and HTTP. privateKeyJWT, trustedIssuers and serviceAccounts are alternatives. A client without any method is for declared Tokens only.',
  });
