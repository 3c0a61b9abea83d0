import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { newClientSecret } from '../../../operator/crypto/client-secret.ts';

test('a client secret is 43 base64url characters of the randomness that is given', () => {
  expect(newClientSecret(randomBytes)).toMatch(/^[A-Za-z0-9_-]{43}$/u);
  expect(newClientSecret((size) => new Uint8Array(size).fill(255))).toBe(`${'_'.repeat(42)}8`);
});
