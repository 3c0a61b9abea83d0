import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import type { Algorithm } from '../api/signing-key.ts';
import type { KeyPair, KeyPairs, KeyReading } from '../ports/keys.ts';
import { describeKey, fits, KEY_KINDS, RSA_MIN_BITS } from './key-kinds.ts';
import { readPrivatePem } from './pem.ts';
import { createSigner, type SignerOptions } from './signer.ts';

const generate = promisify(generateKeyPair);

const newPrivateKey = async (algorithm: Algorithm): Promise<KeyObject> => {
  const kind = KEY_KINDS[algorithm];
  switch (kind.type) {
    case 'ec':
      return (await generate('ec', { namedCurve: kind.curve })).privateKey;
    case 'ed25519':
      return (await generate('ed25519', {})).privateKey;
    case 'rsa':
      return (await generate('rsa', { modulusLength: RSA_MIN_BITS })).privateKey;
  }
};

const toKeyPair = async (privateKey: KeyObject, algorithm: Algorithm): Promise<KeyPair> => {
  const jwk = await exportJWK(createPublicKey(privateKey));
  const kid = await calculateJwkThumbprint(jwk);
  return {
    kid,
    algorithm,
    privatePem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicJWK: { ...jwk, kid, use: 'sig', alg: algorithm },
  };
};

const read = async (pem: string, algorithm: Algorithm): Promise<KeyReading> => {
  const reading = readPrivatePem(pem);
  if ('problem' in reading) return reading;
  if (!fits(reading.privateKey, algorithm)) {
    const problem = `it holds ${describeKey(reading.privateKey)}, but ${algorithm} needs ${KEY_KINDS[algorithm].label}`;
    return { problem };
  }
  return { key: await toKeyPair(reading.privateKey, algorithm) };
};

/** {@link KeyPairs} on node:crypto and jose. */
export const joseKeyPairs = (options: SignerOptions = {}): KeyPairs => ({
  generate: async (algorithm) => toKeyPair(await newPrivateKey(algorithm), algorithm),
  read,
  signer: async (key) => createSigner(key, options),
});
