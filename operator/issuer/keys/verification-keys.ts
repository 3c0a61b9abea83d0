import { hash } from 'node:crypto';
import { type CryptoKey, compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import type { Algorithm, KeyEntry } from '../../api/signing-key.ts';
import type { Awaitable } from '../../async/map-awaitable.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { publicJwkOf } from '../../domain/key/jwks.ts';
import type { VerifiedJwt } from '../../ports/signing.ts';

/** Claims, scope and audiences at their limits stay far below this. */
const MAX_JWT_CHARACTERS = 262_144;

/**
 * Signatures that are remembered: a verifier asks about the same token again and again, and checking its signature costs more than
 * all the rest of the answer. Nothing but the signature is remembered: time, record and client are judged each time.
 */
const MAX_REMEMBERED = 8192;
/** Longer ones are few, and checked each time, so that what is remembered has a bound in bytes. */
const MAX_REMEMBERED_CHARACTERS = 8192;

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
  /** By the SHA-256 of a JWT, which itself is kept nowhere. */
  #verified = new Map<string, VerifiedJwt>();
  /** Those before; what of them is asked for again comes back, and the others go when as many new ones have come. */
  #former = new Map<string, VerifiedJwt>();

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
    const isKept = (known: VerificationKey, kid: string): boolean => next.get(kid) === known;
    if (![...this.#keys].every(([kid, known]) => isKept(known, kid))) this.#forget();
    this.#keys = next;
  }

  /** The claims of a JWS that the key of its `kid` has signed with the one algorithm it is for (RFC 8725 §3.1); undefined for anything else. */
  verify(jwt: string): Awaitable<VerifiedJwt | undefined> {
    if (jwt.length > MAX_JWT_CHARACTERS) return undefined;
    if (jwt.length > MAX_REMEMBERED_CHARACTERS) return this.#check(jwt);
    const digest = hash('sha256', jwt, 'base64');
    return this.#verified.get(digest) ?? this.#recall(digest) ?? this.#learn(jwt, digest);
  }

  async #learn(jwt: string, digest: string): Promise<VerifiedJwt | undefined> {
    const keys = this.#keys;
    const verified = await this.#check(jwt);
    // Keys that were replaced meanwhile may have taken this one away.
    return verified && keys === this.#keys ? this.#remember(digest, verified) : verified;
  }

  #recall(digest: string): VerifiedJwt | undefined {
    const former = this.#former.get(digest);
    return former && this.#remember(digest, former);
  }

  #remember(digest: string, verified: VerifiedJwt): VerifiedJwt {
    if (this.#verified.size >= MAX_REMEMBERED / 2) {
      this.#former = this.#verified;
      this.#verified = new Map();
    }
    this.#verified.set(digest, verified);
    return verified;
  }

  #forget(): void {
    this.#verified.clear();
    this.#former.clear();
  }

  async #check(jwt: string): Promise<VerifiedJwt | undefined> {
    try {
      const { kid, alg } = decodeProtectedHeader(jwt);
      const known = typeof kid === 'string' ? this.#keys.get(kid) : undefined;
      if (kid === undefined || known === undefined || alg !== known.algorithm) return undefined;
      const key = await known.key;
      if (key === undefined) return undefined;
      const { payload } = await compactVerify(jwt, key, { algorithms: [known.algorithm] });
      const claims: unknown = JSON.parse(utf8.decode(payload));
      if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined;
      return { kid, algorithm: known.algorithm, claims: Object.freeze(claims as Record<string, unknown>) };
    } catch {
      return undefined;
    }
  }
}
