import { createPrivateKey } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, importJWK, type JWK, jwtVerify } from 'jose';
import { ALGORITHMS } from '../../../operator/api/signing-key.ts';
import { joseKeyPairs } from '../../../operator/crypto/key-pairs.ts';
import { acceptedPems, rejectedPems } from '../../support/private-pems.ts';

const keyPairs = joseKeyPairs();

describe('a generated key', () => {
  test.each(ALGORITHMS)('%s signs what its public half verifies', async (algorithm) => {
    const key = await keyPairs.generate(algorithm);
    const jwk = key.publicJWK as JWK;
    expect(key.kid).toBe(await calculateJwkThumbprint(jwk));
    expect(jwk).toMatchObject({ kid: key.kid, use: 'sig', alg: algorithm });
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(jwk).not.toHaveProperty(member);
    expect(key.privatePem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/u);
    const signer = await keyPairs.signer(key);
    const jwt = await signer.sign({ typ: 'at+jwt', claims: { sub: 'alice' } });
    const { payload, protectedHeader } = await jwtVerify(jwt, await importJWK(jwk, algorithm));
    expect(protectedHeader).toEqual({ alg: algorithm, kid: key.kid, typ: 'at+jwt' });
    expect(payload).toEqual({ sub: 'alice' });
  });

  test('is another each time', async () => {
    const [a, b] = await Promise.all([keyPairs.generate('ES256'), keyPairs.generate('ES256')]);
    expect(a?.kid).not.toBe(b?.kid);
  });

  test('reports how long its signatures took', async () => {
    const reported: unknown[] = [];
    const timed = joseKeyPairs({ metrics: { signed: (...call) => reported.push(call) } });
    const signer = await timed.signer(await timed.generate('ES256'));
    await signer.sign({ typ: 'JWT', claims: {} });
    expect(reported).toEqual([['ES256', expect.any(Number)]]);
  });
});

describe('a PEM', () => {
  test.each(acceptedPems())('$name is read for $algorithm', async ({ pem, algorithm }) => {
    const reading = await keyPairs.read(pem, algorithm);
    if ('problem' in reading) throw new Error(reading.problem);
    expect(createPrivateKey(reading.key.privatePem).equals(createPrivateKey(pem))).toBe(true);
    expect(reading.key.publicJWK.alg).toBe(algorithm);
    const again = await keyPairs.read(reading.key.privatePem, algorithm);
    expect(again).toEqual(reading);
  });

  test.each(rejectedPems())(
    '$name is rejected, and the error contains none of it',
    async ({ pem, algorithm, reason }) => {
      const reading = await keyPairs.read(pem, algorithm);
      if (!('problem' in reading)) throw new Error('it was read');
      expect(reading.problem).toContain(reason);
      for (const line of pem.split('\n').filter((text) => text.length > 6 && !text.startsWith('-----'))) {
        expect(reading.problem).not.toContain(line.slice(0, 100));
      }
    },
  );
});
