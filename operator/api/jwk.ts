import { z } from 'zod';
import { type CelRule, validations } from './cel-rule.ts';
import type { TextField } from './names.ts';

/** Members that only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2), but for `oth`, a list. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'] as const;

const member = (description: string) => z.string().max(2048).meta({ description }).optional();
const rejected = () => member('Private: rejected.');

const publicRules = (path: string): readonly CelRule[] => [
  {
    rule: `!(${[...PRIVATE_MEMBERS, 'oth'].map((name) => `has(self.${name})`).join(' || ')})`,
    message: `${path} must hold public keys: take the members ${[...PRIVATE_MEMBERS, 'oth'].join(', ')} away, and use that key no more`,
    reason: 'FieldValueForbidden',
  },
  {
    rule: "self.kty in ['EC', 'RSA', 'OKP']",
    message: `${path} must hold keys of kty EC, RSA or OKP: symmetric ones (oct) are rejected`,
    fieldPath: '.kty',
  },
];

const PublicJwkSchema = (path: string) =>
  z
    .looseObject({
      kty: z.string().min(1).max(16).meta({ description: 'Key type: EC, RSA or OKP.' }),
      kid: member('Key ID; an assertion names it in its header.'),
      use: member('What the key is for: sig, or absent.'),
      alg: member('The algorithm that the key is for, such as ES256.'),
      crv: member('Curve of an EC or OKP key.'),
      x: member('X coordinate of an EC key, or the public key of an OKP key.'),
      y: member('Y coordinate of an EC key.'),
      n: member('Modulus of an RSA key.'),
      e: member('Exponent of an RSA key.'),
      d: rejected(),
      p: rejected(),
      q: rejected(),
      dp: rejected(),
      dq: rejected(),
      qi: rejected(),
      k: rejected(),
      oth: z
        .array(
          z
            .record(z.string(), z.unknown())
            .meta({ description: 'Private: rejected.', 'x-kubernetes-preserve-unknown-fields': true }),
        )
        .max(16)
        .meta({ description: 'Private: rejected.', 'x-kubernetes-list-type': 'atomic' })
        .optional(),
    })
    .meta({
      description: 'A public key (RFC 7517).',
      maxProperties: 32,
      ...validations(...publicRules(path)),
    });

/** A set of public keys (RFC 7517 §5); private and symmetric ones are rejected. */
export const publicJwks = ({ path, description }: TextField) =>
  z
    .object({
      keys: z
        .array(PublicJwkSchema(`${path}.keys`))
        .min(1)
        .max(16)
        .meta({ description: 'The public keys, 1 to 16.', 'x-kubernetes-list-type': 'atomic' }),
    })
    .meta({ description });
