import { type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import { ASSERTION_ALGORITHMS, type UnverifiedJwt } from './unverified-jwt.ts';

/** Public keys by curve, or by type; their private keys were never stored, so no signature fits them. */
const DECOYS: Readonly<Record<string, JWK>> = {
  'P-256': {
    kty: 'EC',
    x: 'bRUKp84EJnIej8zMdWGV97FChXlp__SycK28195kcvI',
    y: 'NAmmOanW1tLCBCwrqNvFQmY4s6sH6xQKgdUMAPPMr7g',
    crv: 'P-256',
  },
  'P-384': {
    kty: 'EC',
    x: 'XnNQ4_Ec1vYJpxrKrHnX-YV4EDA6kPQPChYmc7mTpy-5sicsSkOd5ltUCmwWaKjF',
    y: 'iOa8rgrKIByQL4b6MJn2fHV_KzuuKK61NqiMzPFPctBHZ4zbYpAkstceHA3LqE9p',
    crv: 'P-384',
  },
  'P-521': {
    kty: 'EC',
    x: 'ACkpbB5HVNI1cvP6McM8SsnCvGxU3Yiy59w3XdHwb1AutDo_ON6F_XOkCl7t4xB23omwzQn7W6b0Wu5XyZpZrWe7',
    y: 'ARpWZlwTAahF8YFK3AR6Kcxew_LQxtzLzpwziADOGU57pJs28zaKl5bnGiZAqOcfC8TROvNkLM0TBgx85mVMV7Xc',
    crv: 'P-521',
  },
  Ed25519: {
    crv: 'Ed25519',
    x: 'QVEZs8SplHgF5Bl7DKkUcOGtT2njeXtROF8l-9HSvUg',
    kty: 'OKP',
  },
  RSA: {
    kty: 'RSA',
    n: 'rbhIAr7Qw9i3D4xYa257pKH_Sx4zRy6mGhAKxEJD6mS3dRCxbL8_KQekoHwa4odS6QpahEQzyJEosujl7qiEI9WdQ8HUcWYI1TgmhwqctPVTGcgTjgVgw_-wouWd-d1_hOmAa-g7r-bxBF5dEC0tmHUCdasP6sDGthb3th7E3IgfOYQ2gkflNYa96L1xbP0iootosZedXxSnvIXYbdrO2rNlSSPNAcnii3_b5xiQYaUCdYOaLKx2SKZanb8qPs1RQ1eq5AsXKjw3-mPy1QvUvMXzdSHaoI0bBIvCgTcrjlyz2jLHSR5ljBHGDQQCWqsbKUyAoXbSV9SiOF1pOPhu4Q',
    e: 'AQAB',
  },
};

const imported = new Map<string, Promise<CryptoKey | Uint8Array>>();

const decoyFor = (algorithm: string): Promise<CryptoKey | Uint8Array> | undefined => {
  const known = imported.get(algorithm);
  if (known) return known;
  const { kty, crv } = ASSERTION_ALGORITHMS[algorithm] ?? {};
  const jwk = DECOYS[crv ?? kty ?? ''];
  const key = jwk && importJWK(jwk, algorithm);
  if (key) imported.set(algorithm, key);
  return key;
};

/**
 * Verifies the signature of a JWT with a key that nobody has, and drops the result: what is rejected before its signature is verified
 * takes as long as what has a wrong one, so that the time does not tell which clients and keys exist.
 */
export const verifyDecoy = async ({ jwt, algorithm }: UnverifiedJwt): Promise<void> => {
  const key = await decoyFor(algorithm);
  if (key) await compactVerify(jwt, key, { algorithms: [algorithm] }).catch(() => undefined);
};
