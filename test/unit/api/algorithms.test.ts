import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ALGORITHMS, type Algorithm } from '../../../operator/api/signing-key.ts';
import { joseKeyPairs } from '../../../operator/crypto/key-pairs.ts';
import { findJwkProblem } from '../../../operator/crypto/public-jwk.ts';
import { readUnverifiedJwt } from '../../../operator/issuer/authentication/unverified-jwt.ts';
import { acceptedPems } from '../../support/private-pems.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const keyPairs = joseKeyPairs();

/** Places that have to know an algorithm of a SigningKey and that no type holds to the list: KEY_KINDS and SIGN in crypto/ are records of all. */
const PLACES: Readonly<Record<string, (algorithm: Algorithm) => boolean | Promise<boolean>>> = {
  'crypto/public-jwk.ts accepts its keys': async (alg) => {
    const { publicJWK } = await keyPairs.generate(alg);
    return findJwkProblem({ ...publicJWK, alg }) === undefined;
  },
  'issuer/authentication/unverified-jwt.ts accepts JWTs of external issuers with it': (alg) =>
    readUnverifiedJwt(`${encode({ alg })}.${encode({})}.`) !== undefined,
  'test/support/private-pems.ts has a PEM for it': (algorithm) =>
    acceptedPems().some((pem) => pem.algorithm === algorithm),
  'docs/specification.md, spec.algorithm of a SigningKey': (algorithm) =>
    read('docs/specification.md')
      .split('\n')
      .some((line) => line.startsWith('| `spec.algorithm`') && line.includes(`\`${algorithm}\``)),
  'crds/m2moauth.dev_signingkeys.yaml, written by npm run generate': (algorithm) =>
    read('crds/m2moauth.dev_signingkeys.yaml').includes(`- ${algorithm}\n`),
};

test.each(ALGORITHMS)('%s is known in every place', async (algorithm) => {
  const forgotten: string[] = [];
  for (const [place, knows] of Object.entries(PLACES)) {
    if (!(await knows(algorithm))) forgotten.push(place);
  }
  expect(forgotten).toEqual([]);
});
