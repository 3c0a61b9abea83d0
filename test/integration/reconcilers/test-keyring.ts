import { createLocalJWKSet, type JWK, type JWTPayload, jwtVerify } from 'jose';
import type { KeyPhase } from '../../../operator/api/signing-key.ts';
import { joseKeyPairs } from '../../../operator/crypto/key-pairs.ts';
import type { KeyPair } from '../../../operator/ports/keys.ts';
import type { Keyring, Signer, VerifiedJwt } from '../../../operator/ports/signing.ts';

export const ISSUER = 'https://issuer.example/base';

/** Real keys whose phases a test sets as it likes. */
export class TestKeyring implements Keyring {
  readonly #keys = new Map<string, { pair: KeyPair; signer: Signer; phase: KeyPhase | 'Compromised' }>();
  readonly #handlers = new Set<() => void>();

  /** Makes a key the active one; the one before it retires. */
  async rotate(): Promise<string> {
    const pairs = joseKeyPairs();
    const pair = await pairs.generate('ES256');
    for (const key of this.#keys.values()) if (key.phase === 'Active') key.phase = 'Retired';
    this.#keys.set(pair.kid, { pair, signer: await pairs.signer(pair), phase: 'Active' });
    this.#notify();
    return pair.kid;
  }

  set(kid: string, phase: KeyPhase | 'Compromised'): void {
    const key = this.#keys.get(kid);
    if (key) key.phase = phase;
    this.#notify();
  }

  #notify(): void {
    for (const handler of this.#handlers) handler();
  }

  active(): Signer | undefined {
    return [...this.#keys.values()].find(({ phase }) => phase === 'Active')?.signer;
  }

  phase(kid: string): KeyPhase | 'Compromised' | undefined {
    return this.#keys.get(kid)?.phase;
  }

  async verify(jwt: string): Promise<VerifiedJwt | undefined> {
    try {
      const { payload, protectedHeader } = await this.verifySignature(jwt);
      const key = this.#keys.get(protectedHeader.kid ?? '');
      if (!key || key.phase === 'Compromised') return undefined;
      return { kid: key.pair.kid, algorithm: key.pair.algorithm, claims: payload };
    } catch {
      return undefined;
    }
  }

  onChange(handler: () => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Verifies by jose with the public keys, independent of the operator and of the time; throws where the signature is invalid. */
  async verifySignature(
    jwt: string,
  ): Promise<{ payload: JWTPayload; protectedHeader: { kid?: string; typ?: string } }> {
    const keys = [...this.#keys.values()].map(({ pair }) => pair.publicJWK as JWK);
    return jwtVerify(jwt, createLocalJWKSet({ keys }), { issuer: ISSUER, currentDate: new Date(0) });
  }
}
