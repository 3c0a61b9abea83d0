import { type CryptoKey, compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import type { Algorithm, KeyEntry } from '../../api/signing-key.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { publicJwkOf } from '../../domain/jwks.ts';
import type { VerifiedJwt } from '../../ports/signing.ts';

/** Claims, scope and audiences at their limits stay far below this. */
const MAX_JWT_CHARACTERS = 262_144;

interface VerificationKey {
  readonly algorithm: Algorithm;
  /** The public half it was made from. */
  readonly text: string;
  readonly key: Promise<CryptoKey | Uint8Array | undefined>;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Public halves by kid, each imported once. */
export class VerificationKeys {
  #keys = new Map<string, VerificationKey>();

  /** Replaces the set; what stays the same is not imported again. */
  replace(entries: readonly KeyEntry[]): void {
    const next = new Map<string, VerificationKey>();
    for (const entry of entries) {
      const jwk = publicJwkOf(entry);
      const text = canonicalJson(jwk);
      const known = this.#keys.get(entry.kid);
      const { algorithm } = entry;
      // A half that can't be imported verifies nothing; the others do.
      const make = () => importJWK({ ...jwk }, algorithm).catch(() => undefined);
      next.set(entry.kid, known?.text === text ? known : { algorithm, text, key: make() });
    }
    this.#keys = next;
  }

  /** The claims of a JWS that the key of its `kid` has signed with the one algorithm it is for (RFC 8725 §3.1); undefined for anything else. */
  async verify(jwt: string): Promise<VerifiedJwt | undefined> {
    if (jwt.length > MAX_JWT_CHARACTERS) return undefined;
    try {
      const { kid, alg } = decodeProtectedHeader(jwt);
      const known = typeof kid === 'string' ? this.#keys.get(kid) : undefined;
      if (kid === undefined || known === undefined || alg !== known.algorithm) return undefined;
      const key = await known.key;
      if (key === undefined) return undefined;
      const { payload } = await compactVerify(jwt, key, { algorithms: [known.algorithm] });
      const claims: unknown = JSON.parse(utf8.decode(payload));
      if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined;
      return { kid, algorithm: known.algorithm, claims: claims as Record<string, unknown> };
    } catch {
      return undefined;
    }
  }
}
