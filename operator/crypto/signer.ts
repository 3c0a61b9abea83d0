import { importPKCS8, SignJWT } from 'jose';
import type { KeyPair } from '../ports/keys.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Signer } from '../ports/signing.ts';

export interface SignerOptions {
  /** Is told how long each signature took. */
  readonly metrics?: Pick<Metrics, 'signed'>;
}

/** A {@link Signer} over jose; the private half becomes a CryptoKey that can't be exported, once. */
export const joseSigner = async (key: KeyPair, { metrics }: SignerOptions = {}): Promise<Signer> => {
  const { kid, algorithm } = key;
  const privateKey = await importPKCS8(key.privatePem, algorithm);
  return {
    kid,
    algorithm,
    sign: async ({ typ, claims }) => {
      const startedAt = performance.now();
      const jwt = await new SignJWT({ ...claims })
        .setProtectedHeader({ alg: algorithm, kid, typ })
        .sign(privateKey);
      metrics?.signed(algorithm, (performance.now() - startedAt) / 1000);
      return jwt;
    },
  };
};
