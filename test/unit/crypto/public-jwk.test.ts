import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { findJwkProblem } from '../../../operator/crypto/public-jwk.ts';

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ec = p256.publicKey.export({ format: 'jwk' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ format: 'jwk' });
const k256 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' });
const ed = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });

test.each([
  ['P-256', ec],
  ['P-256 for ES256', { ...ec, alg: 'ES256', use: 'sig' }],
  ['P-384 for ES384', { ...p384, alg: 'ES384' }],
  ['P-521 for ES512', { ...p521, alg: 'ES512' }],
  ['Ed25519 for EdDSA', { ...ed, alg: 'EdDSA' }],
  ['Ed25519 by its own name (RFC 9864)', { ...ed, alg: 'Ed25519' }],
  ['RSA for PS512', { ...rsa, alg: 'PS512' }],
  ['RSA that may verify', { ...rsa, key_ops: ['verify'] }],
])('a key on %s can verify', (_, jwk) => {
  expect(findJwkProblem(jwk)).toBeUndefined();
});

test.each([
  ['no object', 'text', 'no JSON object'],
  ['a list', [ec], 'no JSON object'],
  ['null', null, 'no JSON object'],
  ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }, 'symmetric'],
  ['a private key', p256.privateKey.export({ format: 'jwk' }), 'private members'],
  ['an encryption key', { ...rsa, use: 'enc' }, 'use'],
  ['a key that may only encrypt', { ...rsa, key_ops: ['encrypt'] }, 'key_ops'],
  ['a point that is on no curve', { ...ec, x: ec.y }, 'can not be read'],
  ['a missing member', { kty: 'RSA', e: 'AQAB' }, 'can not be read'],
  ['an unknown type', { kty: 'XYZ' }, 'can not be read'],
  ['a short RSA key', short, '1024 bits'],
  ['a curve without an algorithm here', k256, 'not accepted'],
  ['a key agreement curve', x25519, 'not accepted'],
  ['an algorithm of another curve', { ...ec, alg: 'ES384' }, 'alg'],
  ['an algorithm of another type', { ...rsa, alg: 'ES256' }, 'alg'],
  ['a symmetric algorithm', { ...rsa, alg: 'HS256' }, 'alg'],
  ['an encryption algorithm', { ...rsa, alg: 'RSA-OAEP' }, 'alg'],
])('%s is rejected', (_, jwk, reason) => {
  expect(findJwkProblem(jwk)).toContain(reason);
});
