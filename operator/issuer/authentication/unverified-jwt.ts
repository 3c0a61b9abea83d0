/** Claims of a JWT of any issuer. */
export type Claims = Readonly<Record<string, unknown>>;

/** A parsed JWT of a client or an external issuer, of which nothing is verified. */
export interface UnverifiedJwt {
  readonly jwt: string;
  readonly algorithm: string;
  readonly kid: string | undefined;
  readonly claims: Claims;
}

/** Algorithms accepted in assertions and bearers of other issuers, asymmetric only (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2), with the key that each needs. */
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

/** Spec §4; as much as a request may hold (domain/token-request.ts). */
const MAX_CHARACTERS = 16_384;
/** How far clocks may be apart (RFC 7519 §4.1.4: "usually no more than a few minutes"). */
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

/** The claims in a payload; undefined where it is no JSON object in UTF-8. */
export const readClaims = readObject;

/**
 * Reads a JWS in compact serialisation (RFC 7515 §7.1). Undefined where it is none, or too long, or by an algorithm that
 * is not accepted, or with `crit` (RFC 7515 §4.1.11: no extension is understood here). `jku`, `x5u` and `jwk` are not
 * looked at: a key comes from the client's or the issuer's own set alone.
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
  if (typeof alg !== 'string' || !Object.hasOwn(ASSERTION_ALGORITHMS, alg)) return undefined;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  return { jwt, algorithm: alg, kid, claims };
};

/** Whether `aud` (RFC 7519 §4.1.3: one value or several) has the audience. */
export const hasAudience = ({ aud }: Claims, audience: string): boolean =>
  aud === audience || (Array.isArray(aud) && aud.includes(audience));

const isPresent = (value: unknown): boolean => value !== undefined && value !== null;

/**
 * What is wrong with the times (RFC 7519 §4.1.4-4.1.6), within {@link LEEWAY_SECONDS}: `exp` is required, and neither
 * `nbf` nor `iat` may lie ahead. Fixed words; `now` in milliseconds.
 */
export const findTimeProblem = ({ exp, nbf, iat }: Claims, now: number): string | undefined => {
  const seconds = now / 1000;
  if (typeof exp !== 'number') return 'exp is missing';
  if (exp + LEEWAY_SECONDS <= seconds) return 'exp is past';
  for (const [name, value] of [['nbf', nbf] as const, ['iat', iat] as const]) {
    if (!isPresent(value)) continue;
    if (typeof value !== 'number') return `${name} is no number`;
    if (value - LEEWAY_SECONDS > seconds) return `${name} is ahead`;
  }
  return undefined;
};
