import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { joseSignature } from '../../../operator/crypto/signer.ts';

describe('a signature in DER', () => {
  test.each([
    ['P-256', 'prime256v1', 32],
    ['P-384', 'secp384r1', 48],
  ])('by %s becomes R and S that verify, however short they are', (_name, namedCurve, octets) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    // One in 128 has an R or S that is shorter than the curve's order.
    for (let round = 0; round < 500; round += 1) {
      const bytes = Buffer.from(String(round));
      const signature = joseSignature(sign('sha256', bytes, privateKey), octets);
      expect(signature).toHaveLength(2 * octets);
      const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
      if (!verify('sha256', bytes, key, signature)) throw new Error(`round ${round} does not verify`);
    }
  });

  test('gives numbers of every length back', () => {
    const integer = (value: Buffer): Buffer => {
      const start = value.findIndex((octet) => octet !== 0);
      const digits = start < 0 ? Buffer.from([0]) : value.subarray(start);
      const body = (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits;
      return Buffer.concat([Buffer.from([2, body.length]), body]);
    };
    const number = fc
      .tuple(fc.nat(32), fc.uint8Array({ minLength: 32, maxLength: 32 }))
      .map(([zeros, octets]) => Buffer.from(octets).fill(0, 0, zeros));
    fc.assert(
      fc.property(number, number, (r, s) => {
        const body = Buffer.concat([integer(r), integer(s)]);
        const der = Buffer.concat([Buffer.from([0x30, body.length]), body]);
        expect(joseSignature(der, 32)).toEqual(Buffer.concat([r, s]));
      }),
    );
  });

  test.each([
    ['nothing', ''],
    ['another sequence', '31080202010102020202'],
    ['a length that is another', '30090202010102020202'],
    ['something after it', '3008020201010202020200'],
    ['no integer', '30080302010102020202'],
    ['an integer that is cut', '300802020101020902'],
  ])('that is %s is rejected', (_name, hex) => {
    expect(() => joseSignature(Buffer.from(hex, 'hex'), 32)).toThrow(RangeError);
  });
});
