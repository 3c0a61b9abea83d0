import type { KeyEntry, SigningKey } from '../../api/signing-key.ts';

/** RFC 7517 §5. */
export interface Jwks {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Members that make a public key (RFC 7518 §6.2.1, §6.3.1; RFC 8037 §2): no other ever reaches the set. */
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'];

/** A key as the set shows it: `kty` and the public members, `kid`, `use` and `alg`. */
export const publicJwkOf = ({ kid, algorithm, publicJWK }: KeyEntry): Readonly<Record<string, unknown>> => ({
  ...Object.fromEntries(
    PUBLIC_MEMBERS.filter((name) => publicJWK[name] !== undefined).map((name) => [name, publicJWK[name]]),
  ),
  kid,
  use: 'sig',
  alg: algorithm,
});

/** Every kid that one of the SigningKeys calls compromised: it counts for all of them. */
export const compromisedKids = (signingKeys: Iterable<SigningKey>): ReadonlySet<string> => {
  const kids = new Set<string>();
  for (const { spec } of signingKeys) for (const kid of spec.compromised ?? []) kids.add(kid);
  return kids;
};

/** Whose keys the set has (spec §6, `issuer.jwks`): those of every SigningKey, or of the one that signs. */
export interface JwksMembers {
  readonly jwks: 'All' | 'SigningKey';
  /** Name of the SigningKey that signs. */
  readonly signingKey: string;
}

/** Whether a SigningKey's keys are in the set. */
export const isInJwks = ({ metadata }: SigningKey, { jwks, signingKey }: JwksMembers): boolean =>
  jwks === 'All' || metadata.name === signingKey;

/** The public set of the SigningKeys but compromised keys (spec §2.5), in the order of the kids, so that an equal set is equal text. */
export const buildJwks = (
  signingKeys: readonly SigningKey[],
  compromised: ReadonlySet<string> = compromisedKids(signingKeys),
): Jwks => {
  const keys = new Map<string, Readonly<Record<string, unknown>>>();
  for (const { status } of signingKeys) {
    for (const entry of status?.keys ?? []) {
      if (!compromised.has(entry.kid)) keys.set(entry.kid, publicJwkOf(entry));
    }
  }
  return { keys: [...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, jwk]) => jwk) };
};
