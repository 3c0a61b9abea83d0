import { describe, expect, test } from '@jest/globals';
import type { ExternalIssuer } from '../../../../operator/issuer/authentication/external-issuers.ts';
import { createTrustedIssuers } from '../../../../operator/issuer/authentication/trusted-issuers.ts';
import { readUnverifiedJwt } from '../../../../operator/issuer/authentication/unverified-jwt.ts';
import { clientWith, patient } from '../clients.ts';

const AUTHORITY = 'https://idp.example';
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

interface Setup {
  readonly trusted?: object | readonly object[];
  readonly ownerClaim?: string;
  /** What the issuers say to the signature. */
  readonly isGood?: boolean;
}

const check = async (claims: object, { trusted = {}, ownerClaim = 'sub', isGood = true }: Setup = {}) => {
  const asked: ExternalIssuer[] = [];
  const all = { iss: AUTHORITY, sub: 'bob', aud: 'm2m', ...claims };
  const jwt = readUnverifiedJwt(`${encode({ alg: 'ES256' })}.${encode(all)}.x`);
  if (!jwt) throw new Error('unreadable');
  const run = createTrustedIssuers({
    ownerClaim,
    issuers: {
      verify: async (_jwt, issuer) => {
        asked.push(issuer);
        return isGood ? jwt.claims : undefined;
      },
    },
  });
  const entries = (Array.isArray(trusted) ? trusted : [trusted]) as object[];
  const trustedIssuers = entries.map((entry) => ({ authority: AUTHORITY, audience: 'm2m', ...entry }));
  const outcome = await run({
    client: clientWith({ trustedIssuers }),
    clientID: 'app',
    jwt,
    address: '192.0.2.1',
    signal: patient,
  });
  return { outcome, asked };
};

describe('an assertion of a trusted issuer', () => {
  test('gives owner, subject and original claims', async () => {
    const { outcome } = await check({ email: 'bob@example.com' });
    expect(outcome).toMatchObject({
      authenticated: {
        method: 'trustedIssuer',
        owner: 'bob',
        subject: 'bob',
        originalTokenClaims: { iss: AUTHORITY, sub: 'bob', email: 'bob@example.com' },
      },
    });
  });

  test('gives the owner by the configured claim, and prefixes owner and subject', async () => {
    const { outcome } = await check(
      { tenant: 't1' },
      { trusted: { ownerPrefix: 'idp:' }, ownerClaim: 'tenant' },
    );
    expect(outcome).toMatchObject({ authenticated: { owner: 'idp:t1', subject: 'idp:bob' } });
  });

  test('gives the named claims alone where some are named', async () => {
    const { outcome } = await check(
      { email: 'e', groups: ['a'] },
      { trusted: { claims: ['email', 'absent'] } },
    );
    expect(outcome).toHaveProperty('authenticated.originalTokenClaims', { email: 'e' });
  });

  test('is validated by the entry that accepts it, of several for one authority', async () => {
    const trusted = [{ audience: 'x' }, { requiredClaims: { team: 'red' } }, { ownerPrefix: 'third:' }];
    const { outcome, asked } = await check({}, { trusted });
    expect(outcome).toMatchObject({ authenticated: { owner: 'third:bob' } });
    expect(asked).toHaveLength(1);
  });

  test.each<[string, object, Setup]>([
    ['another audience', { aud: 'other' }, {}],
    ['a required claim missing', {}, { trusted: { requiredClaims: { team: 'blue' } } }],
    ['a required claim of another value', { team: 'red' }, { trusted: { requiredClaims: { team: 'blue' } } }],
    [
      'a required claim of another type',
      { team: ['blue'] },
      { trusted: { requiredClaims: { team: 'blue' } } },
    ],
    ['a claim that every object has', {}, { trusted: { requiredClaims: { constructor: 'x' } } }],
  ])('with %s is rejected before anything is fetched', async (_name, claims, setup) => {
    const { outcome, asked } = await check(claims, setup);
    expect(outcome).toEqual({ problem: expect.any(String) });
    expect(asked).toEqual([]);
  });

  test.each<[string, object, Setup]>([
    ['that the issuer has not signed', {}, { isGood: false }],
    ['without the owner claim', {}, { ownerClaim: 'tenant' }],
    ['whose owner claim is what every object has', {}, { ownerClaim: 'constructor' }],
    ['with an empty owner', { tenant: '' }, { ownerClaim: 'tenant' }],
    ['with an owner that is no text', { tenant: { a: 1 } }, { ownerClaim: 'tenant' }],
    [
      'with an owner that is too long',
      { tenant: 'x'.repeat(509) },
      { ownerClaim: 'tenant', trusted: { ownerPrefix: 'idp:' } },
    ],
    ['with a control character in the owner', { tenant: 'a\nb' }, { ownerClaim: 'tenant' }],
    ['with a subject that is no Unicode text', { tenant: 't', sub: 'a\ud800' }, { ownerClaim: 'tenant' }],
  ])('%s is rejected', async (_name, claims, setup) => {
    expect((await check(claims, setup)).outcome).toEqual({ problem: expect.any(String) });
  });

  test.each<[string, object, RegExp]>([
    ['too large', { more: 'x'.repeat(4096) }, /at most 4096/u],
    ['too many', Object.fromEntries(Array.from({ length: 260 }, (_, at) => [`c${at}`, 1])), /more than 256/u],
    ['too deep', { deep: JSON.parse(`${'['.repeat(16)}${']'.repeat(16)}`) }, /16 deep/u],
  ])('with claims that are %s is rejected with words that say so', async (_name, claims, words) => {
    await expect(check(claims)).rejects.toMatchObject({
      code: 'Refused',
      oauthCode: 'invalid_client',
      message: expect.stringMatching(words),
    });
    expect((await check(claims, { trusted: { claims: ['sub'] } })).outcome).toHaveProperty('authenticated');
  });

  test('may have claims at the limit of depth', async () => {
    const deep = JSON.parse(`${'['.repeat(15)}${']'.repeat(15)}`);
    expect((await check({ deep })).outcome).toHaveProperty('authenticated');
  });

  test('of another issuer is of no kind that the client has', async () => {
    expect((await check({ iss: 'https://other' })).outcome).toBeUndefined();
  });
});
