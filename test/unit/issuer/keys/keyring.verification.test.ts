import { beforeEach, describe, expect, test } from '@jest/globals';
import type { KeyEntry } from '../../../../operator/api/signing-key.ts';
import { joseKeyPairs } from '../../../../operator/crypto/key-pairs.ts';
import { VerificationKeys } from '../../../../operator/issuer/keys/keyring.ts';
import type { KeyPair } from '../../../../operator/ports/keys.ts';
import type { RunCheck } from '../../../../operator/ports/signing.ts';

const keyPairs = joseKeyPairs();
const [a, b] = (await Promise.all([keyPairs.generate('ES256'), keyPairs.generate('ES256')])) as [
  KeyPair,
  KeyPair,
];
const entryOf = (key: KeyPair, publicJWK = key.publicJWK): KeyEntry => ({
  kid: key.kid,
  algorithm: key.algorithm,
  publicJWK: { ...publicJWK },
  phase: 'Active',
  publishedAt: '2026-01-01T00:00:00Z',
});
const sign = async (key: KeyPair, claims: object = { jti: '1' }): Promise<string> =>
  (await keyPairs.signer(key)).sign({ typ: 'JWT', claims: claims as Record<string, unknown> });

let keys: VerificationKeys;

beforeEach(() => {
  keys = new VerificationKeys();
  keys.replace([entryOf(a)]);
});

describe('a JWT that was verified before', () => {
  test('is not checked again, and can not be changed by who asked', async () => {
    const jwt = await sign(a);
    const verified = await keys.verify(jwt);
    expect(verified).toMatchObject({ kid: a.kid, claims: { jti: '1' } });
    expect(await keys.verify(jwt)).toBe(verified);
    expect(Object.isFrozen(verified?.claims)).toBe(true);
  });

  test('needs no turn to be checked again', async () => {
    const jwt = await sign(a);
    let turns = 0;
    const inTurn: RunCheck = (check) => {
      turns += 1;
      return check();
    };
    expect(await keys.verify(jwt, inTurn)).toMatchObject({ claims: { jti: '1' } });
    expect(keys.verify(jwt, inTurn)).toMatchObject({ claims: { jti: '1' } });
    expect(turns).toBe(1);
  });

  test('is unverified once its key is removed', async () => {
    const jwt = await sign(a);
    expect(await keys.verify(jwt)).toBeDefined();
    keys.replace([entryOf(b)]);
    expect(await keys.verify(jwt)).toBeUndefined();
  });

  test('is unverified once its kid names another key', async () => {
    const jwt = await sign(a);
    expect(await keys.verify(jwt)).toBeDefined();
    keys.replace([entryOf(a, b.publicJWK)]);
    expect(await keys.verify(jwt)).toBeUndefined();
  });

  test('is unverified when its key is removed while it is being checked', async () => {
    const jwt = await sign(a);
    const verifying = keys.verify(jwt);
    keys.replace([entryOf(b)]);
    await verifying;
    expect(await keys.verify(jwt)).toBeUndefined();
  });
});

test('one that is long is verified, and not kept', async () => {
  const jwt = await sign(a, { jti: '1', note: 'x'.repeat(10_000) });
  const verified = await keys.verify(jwt);
  expect(verified).toBeDefined();
  const again = await keys.verify(jwt);
  expect(again).toEqual(verified);
  expect(again).not.toBe(verified);
});
