import { beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import { findJwkProblem } from '../../../../operator/crypto/public-jwk.ts';
import { createPrivateKeyJwt } from '../../../../operator/issuer/authentication/private-key-jwt.ts';
import { readUnverifiedJwt } from '../../../../operator/issuer/authentication/unverified-jwt.ts';
import { type TestSigner, testSigner, unsignedJwt } from '../../../support/assertions.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { type Authentication, atOnce, clientWith, ISSUER, patient } from '../clients.ts';

const clock = new FakeClock();
const now = Math.floor(clock.now() / 1000);

let signer: TestSigner;
let other: TestSigner;
let rsa: TestSigner;
/** A key of this issuer among those of the client. */
let own: unknown;

beforeAll(async () => {
  [signer, other, rsa] = await Promise.all([testSigner(), testSigner(), testSigner('RS256')]);
});

const claims = (changes: object = {}) => ({
  iss: 'app',
  sub: 'app',
  aud: ISSUER,
  iat: now,
  exp: now + 60,
  jti: 'one',
  ...changes,
});

const check = async (jwt: string, authentication?: Authentication) => {
  const privateKeyJWT = {
    jwks: { keys: [rsa.publicJWK, signer.publicJWK] },
  } as NonNullable<Authentication>['privateKeyJWT'];
  const run = createPrivateKeyJwt({
    issuerUrl: ISSUER,
    findJwkProblem,
    isOwnKey: (jwk) => jwk === own,
    clock,
    keys: { verify: () => Promise.reject(new Error('nothing is to be fetched')) },
  });
  const parsed = readUnverifiedJwt(jwt);
  if (parsed === undefined) return { problem: 'unreadable' };
  const client = clientWith(authentication ?? { privateKeyJWT });
  return run({ client, clientID: 'app', jwt: parsed, address: '192.0.2.1', signal: patient, inTurn: atOnce });
};

describe('a client’s own assertion is accepted', () => {
  test.each<[string, () => Promise<string>]>([
    ['as RFC 7523 has it', () => signer.sign(claims())],
    ['with its audience in a list', () => signer.sign(claims({ aud: [ISSUER] }))],
    ['by another of its keys', () => rsa.sign(claims())],
    ['without kid', () => signer.sign(claims(), { kid: undefined })],
    [
      'valid for 5 min, by a clock that is 30 s ahead',
      () => signer.sign(claims({ exp: now + 330, iat: now + 30, nbf: now + 30 })),
    ],
    ['expired 29 s ago', () => signer.sign(claims({ exp: now - 29 }))],
    ['with the type JWT', () => signer.sign(claims(), { typ: 'JWT' })],
    [
      'with the type of a client assertion',
      () => signer.sign(claims(), { typ: 'client-authentication+jwt' }),
    ],
    [
      'with that type as a media type',
      () => signer.sign(claims(), { typ: 'application/Client-Authentication+JWT' }),
    ],
    [
      'with a jwk header, which is ignored',
      () => signer.sign(claims(), { jwk: other.publicJWK, jku: 'https://evil.example' }),
    ],
  ])('%s', async (_name, make) => {
    expect(await check(await make())).toMatchObject({
      authenticated: {
        method: 'privateKeyJWT',
        assertion: { id: 'one' },
        client: { metadata: { name: 'app' } },
      },
    });
  });

  test('for the token endpoint where that is accepted', async () => {
    const jwks = { keys: [signer.publicJWK] };
    const accepting = {
      privateKeyJWT: { jwks, acceptTokenEndpointAudience: true },
    } as unknown as Authentication;
    const jwt = await signer.sign(claims({ aud: `${ISSUER}/oauth/token` }));
    expect(await check(jwt, accepting)).toHaveProperty('authenticated');
    expect(await check(jwt)).toHaveProperty('problem');
  });
});

describe('a client’s own assertion can have been used first', () => {
  test.each<[string, object, number]>([
    ['when it was signed', {}, 0],
    ['when it was signed, by a clock that is ahead', { iat: now + 30 }, 30],
    ['when it became valid', { iat: now - 9, nbf: now - 5 }, -5],
    ['5 min before it expires, without iat', { iat: undefined, exp: now + 60 }, -240],
    ['5 min before it expires, if it was signed for longer', { iat: now - 3600, exp: now + 60 }, -240],
    ['in the middle of a second', { iat: now - 0.5 }, -0.5],
  ])('%s', async (_name, changes, seconds) => {
    const assertion = { id: 'one', earliestUse: now + seconds };
    expect(await check(await signer.sign(claims(changes)))).toMatchObject({ authenticated: { assertion } });
  });
});

describe('a client’s own assertion is rejected', () => {
  test.each<[string, () => Promise<string> | string]>([
    ['of another subject', () => signer.sign(claims({ sub: 'dave' }))],
    ['for another audience', () => signer.sign(claims({ aud: 'https://other' }))],
    ['for several audiences', () => signer.sign(claims({ aud: [ISSUER, 'https://other'] }))],
    ['for no audience', () => signer.sign(claims({ aud: undefined }))],
    ['for an empty list of audiences', () => signer.sign(claims({ aud: [] }))],
    ['expired', () => signer.sign(claims({ exp: now - 30 }))],
    ['without exp', () => signer.sign(claims({ exp: undefined }))],
    ['with a text as exp', () => signer.sign(claims({ exp: String(now + 60) }))],
    ['valid for longer than 5 min', () => signer.sign(claims({ exp: now + 331 }))],
    ['not valid yet', () => signer.sign(claims({ nbf: now + 31 }))],
    ['issued in the future', () => signer.sign(claims({ iat: now + 31 }))],
    ['without jti', () => signer.sign(claims({ jti: undefined }))],
    ['with an empty jti', () => signer.sign(claims({ jti: '' }))],
    ['with a number as jti', () => signer.sign(claims({ jti: 1 }))],
    ['with a jti beyond its limit', () => signer.sign(claims({ jti: 'x'.repeat(257) }))],
    ['by another key', () => other.sign(claims())],
    ['by another key under the kid of a registered key', () => other.sign(claims(), { kid: signer.kid })],
    ['by another key without kid', () => other.sign(claims(), { kid: undefined })],
    ['with the kid of a key that its algorithm does not fit', () => rsa.sign(claims(), { kid: signer.kid })],
    ['with alg none', () => unsignedJwt(claims(), { kid: signer.kid })],
    ['with a critical header', () => signer.sign(claims(), { crit: ['b64'], b64: true })],
    [
      'with the public key as the secret of an HMAC (RFC 8725 section 2.1)',
      () =>
        new SignJWT(claims())
          .setProtectedHeader({ alg: 'HS256', kid: signer.kid })
          .sign(Buffer.from(JSON.stringify(signer.publicJWK))),
    ],
    [
      'with a signature that was cut off',
      async () => (await signer.sign(claims())).replace(/\.[^.]*$/u, '.'),
    ],
    [
      'with claims that were changed',
      async () => {
        const [header, , signature] = (await signer.sign(claims())).split('.');
        const forged = Buffer.from(JSON.stringify(claims({ jti: 'two' }))).toString('base64url');
        return `${header}.${forged}.${signature}`;
      },
    ],
    ['with the type of an access token', () => signer.sign(claims(), { typ: 'at+jwt' })],
    ['with the type of a DPoP proof', () => signer.sign(claims(), { typ: 'dpop+jwt' })],
    ['with the type of a logout token', () => signer.sign(claims(), { typ: 'logout+jwt' })],
    ['with the type of a security event', () => signer.sign(claims(), { typ: 'secevent+jwt' })],
    ['with the claims of a security event', () => signer.sign(claims({ events: {} }))],
    ['with the claims of an ID token', () => signer.sign(claims({ at_hash: 'x' }))],
    ['with a type that is no text', () => signer.sign(claims(), { typ: ['JWT'] })],
    ['that is garbage', () => 'x.y.z'],
    ['that is empty', () => ''],
    ['that is too long', async () => signer.sign(claims({ more: 'x'.repeat(16_384) }))],
    ['whose payload is a list', () => `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.W10.x`],
  ])('%s', async (_name, make) => {
    expect(await check(await make())).toEqual({ problem: expect.any(String) });
  });

  test('where one of its keys is a key of this issuer', async () => {
    const jwt = await signer.sign(claims());
    expect(await check(jwt)).toHaveProperty('authenticated');
    own = rsa.publicJWK;
    expect(await check(jwt)).toEqual({ problem: expect.any(String) });
    own = undefined;
  });

  test('by a key that is too weak, or private', async () => {
    for (const key of [
      { ...signer.publicJWK, d: 'x' },
      { ...signer.publicJWK, use: 'enc' },
    ]) {
      const authentication = { privateKeyJWT: { jwks: { keys: [key] } } } as unknown as Authentication;
      expect(await check(await signer.sign(claims()), authentication)).toHaveProperty('problem');
    }
  });
});

test('a JWT of another issuer is not of this kind', async () => {
  expect(await check(await signer.sign(claims({ iss: 'https://idp.example' })))).toBeUndefined();
});
