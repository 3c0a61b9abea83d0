import { type JwtType, jwtTypeOf } from '../../domain/jwt/jwt-type.ts';

/** Claims of a JWT of any issuer. */
export type Claims = Readonly<Record<string, unknown>>;

/** A parsed JWT; nothing in it is verified. */
export interface UnverifiedJwt {
  readonly jwt: string;
  readonly algorithm: string;
  readonly kid: string | undefined;
  readonly type: JwtType;
  readonly claims: Claims;
}

/** The accepted algorithms of assertions and external issuers, all asymmetric (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2), with the key that each needs. */
export const ASSERTION_ALGORITHMS: Readonly<Record<string, { readonly kty: string; readonly crv?: string }>> =
  {
    ES256: { kty: 'EC', crv: 'P-256' },
    ES384: { kty: 'EC', crv: 'P-384' },
    ES512: { kty: 'EC', crv: 'P-521' },
    RS256: { kty: 'RSA' },
    RS384: { kty: 'RSA' },
    RS512: { kty: 'RSA' },
    PS256: { kty: 'RSA' },
    PS384: { kty: 'RSA' },
    PS512: { kty: 'RSA' },
    EdDSA: { kty: 'OKP', crv: 'Ed25519' },
    Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  };

/** The longest assertion of a request (domain/client/token-request.ts). */
const MAX_CHARACTERS = 16_384;
/** Allowed clock difference to clients and external issuers (RFC 7519 §4.1.4, spec §4). */
export const LEEWAY_SECONDS = 30;

const utf8 = new TextDecoder('utf-8', { fatal: true });

const readObject = (bytes: Uint8Array): Claims | undefined => {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Claims)
      : undefined;
  } catch {
    return undefined;
  }
};

/** The claims in a payload; undefined if it is not a JSON object in UTF-8. */
export const readClaims = readObject;

/**
 * Parses a JWS in compact serialization (RFC 7515 §7.1). Undefined if it is none, is too long, has another algorithm, or has `crit`
 * (RFC 7515 §4.1.11: no extension is supported). `jku`, `x5u` and `jwk` are ignored: keys come from the configured set only.
 */
export const readUnverifiedJwt = (jwt: string): UnverifiedJwt | undefined => {
  if (jwt.length > MAX_CHARACTERS) return undefined;
  const parts = jwt.split('.');
  const [protectedHeader, payload] = parts;
  if (parts.length !== 3 || protectedHeader === undefined || payload === undefined) return undefined;
  const header = readObject(Buffer.from(protectedHeader, 'base64url'));
  const claims = readObject(Buffer.from(payload, 'base64url'));
  if (header === undefined || claims === undefined || header.crit !== undefined) return undefined;
  const { alg, kid } = header;
  const type = jwtTypeOf(header.typ, claims);
  if (typeof alg !== 'string' || !Object.hasOwn(ASSERTION_ALGORITHMS, alg)) return undefined;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  return type === undefined ? undefined : { jwt, algorithm: alg, kid, type, claims };
};

/** Whether `aud` (RFC 7519 §4.1.3: one value or several) has the audience. */
export const hasAudience = ({ aud }: Claims, audience: string): boolean =>
  aud === audience || (Array.isArray(aud) && aud.includes(audience));

const isPresent = (value: unknown): boolean => value !== undefined && value !== null;

/** Of an assertion without `exp`, which some issuers leave out. */
export const EXP_MISSING = 'exp is missing';

/**
 * What is wrong with the times (RFC 7519 §4.1.4 to §4.1.6), with {@link LEEWAY_SECONDS}, as fixed text: `exp` is required, and `nbf` and
 * `iat` must not be in the future. `now` in milliseconds.
 */
export const findTimeProblem = ({ exp, nbf, iat }: Claims, now: number): string | undefined => {
  const seconds = now / 1000;
  if (!isPresent(exp)) return EXP_MISSING;
  // JSON has numbers that are infinite as doubles: they would never expire.
  if (typeof exp !== 'number' || !Number.isFinite(exp)) return 'exp is no number';
  if (exp + LEEWAY_SECONDS <= seconds) return 'exp is past';
  for (const [name, value] of [['nbf', nbf] as const, ['iat', iat] as const]) {
    if (!isPresent(value)) continue;
    if (typeof value !== 'number') return `${name} is no number`;
    if (value - LEEWAY_SECONDS > seconds) return `${name} is ahead`;
  }
  return undefined;
};
