import { describe, expect, test } from '@jest/globals';
import type { ExternalIssuer } from '../../../../operator/issuer/authentication/external-issuers.ts';
import type { TrustedEndpoint } from '../../../../operator/issuer/authentication/trusted-endpoints.ts';
import { createTrustedIssuers } from '../../../../operator/issuer/authentication/trusted-issuers.ts';
import { readUnverifiedJwt } from '../../../../operator/issuer/authentication/unverified-jwt.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { atOnce, clientWith, patient } from '../clients.ts';

const AUTHORITY = 'https://idp.example';
const clock = new FakeClock();
const now = Math.floor(clock.now() / 1000);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

interface Setup {
  readonly trusted?: object | readonly object[];
  readonly ownerClaim?: string;
  readonly deviceIDClaim?: string;
  readonly endpoints?: readonly TrustedEndpoint[];
  /** What the issuers say to the signature. */
  readonly isGood?: boolean;
  /** What alone is wrong with a JWT that the issuer has signed. */
  readonly lacks?: string;
}

const check = async (claims: object, setup: Setup = {}) => {
  const {
    trusted = {},
    ownerClaim = 'sub',
    deviceIDClaim = '',
    isGood = true,
    endpoints = [],
    lacks,
  } = setup;
  const asked: ExternalIssuer[] = [];
  const all = { iss: AUTHORITY, sub: 'bob', aud: 'm2m', ...claims };
  const jwt = readUnverifiedJwt(`${encode({ alg: 'ES256' })}.${encode(all)}.x`);
  if (!jwt) throw new Error('unreadable');
  const run = createTrustedIssuers({
    settings: { ownerClaim, deviceIDClaim },
    endpoints,
    clock,
    issuers: {
      verify: async (_jwt, issuer) => {
        asked.push(issuer);
        if (!isGood) return undefined;
        return lacks === undefined ? { claims: jwt.claims } : { lacks };
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
    inTurn: atOnce,
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
    ['inexact', { tenant: 2 ** 53 }, /beyond 9007199254740991 at "tenant"/u],
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

  test.each<[string, object, string, string | undefined]>([
    ['that of the configured claim', { device: 'd-1' }, 'device', 'd-1'],
    ['none without that claim', {}, 'device', undefined],
    ['none by an empty claim', { device: '' }, 'device', undefined],
    ['none by null', { device: null }, 'device', undefined],
    ['none where no claim is configured', { device: 'd-1', '': 'd-2' }, '', undefined],
    ['none by what every object has', {}, 'constructor', undefined],
    ['none beside the subject by sub, whose prefix it lacks', {}, 'sub', undefined],
    ['the longest one', { device: 'x'.repeat(512) }, 'device', 'x'.repeat(512)],
  ])('gives as device ID %s', async (_name, claims, deviceIDClaim, deviceID) => {
    const { outcome } = await check({ tenant: 't1', ...claims }, { ownerClaim: 'tenant', deviceIDClaim });
    expect(outcome).toMatchObject({ authenticated: { owner: 't1' } });
    expect(outcome).toHaveProperty('authenticated.deviceID', deviceID);
  });

  test.each<[string, unknown]>([
    ['is no text', 7],
    ['is a list', ['d-1']],
    ['is too long', 'x'.repeat(513)],
    ['has a control character', 'a\nb'],
    ['is no Unicode text', 'a\ud800'],
  ])('whose device ID %s is rejected', async (_name, device) => {
    expect((await check({ device }, { deviceIDClaim: 'device' })).outcome).toEqual({
      problem: expect.any(String),
    });
    expect((await check({ device })).outcome).toHaveProperty('authenticated');
  });

  const once = { trusted: { oneTimeUse: true } };
  const FRESH = { jti: 'one', iat: now };

  test('has an ID if it may be used once, and none otherwise', async () => {
    const { outcome } = await check(FRESH, once);
    const id = JSON.stringify([AUTHORITY, 'one']);
    expect(outcome).toHaveProperty('authenticated.assertion', { id, earliestUse: now });
    expect((await check(FRESH)).outcome).toHaveProperty('authenticated.assertion', undefined);
  });

  test.each<[string, object, number]>([
    ['iat', { iat: now - 20, exp: now + 3600 }, now - 20],
    ['nbf, if that is later', { iat: now - 20, nbf: now - 10, exp: now + 3600 }, now - 10],
    ['5 min before exp, if it has no iat', { exp: now + 100 }, now - 200],
    ['nbf, if that is later than 5 min before exp', { nbf: now - 10, exp: now + 100 }, now - 10],
  ])('that may be used once can have been used from %s on', async (_name, claims, earliestUse) => {
    const { outcome } = await check({ jti: 'one', ...claims }, once);
    expect(outcome).toHaveProperty('authenticated.assertion.earliestUse', earliestUse);
  });

  test.each<[string, object, boolean]>([
    ['issued 5 min ago', { jti: 'a', iat: now - 300, exp: now + 3600 }, true],
    ['issued 5 min and a second ago', { jti: 'a', iat: now - 301, exp: now + 3600 }, false],
    ['issued 5 min and a second ago, and about to expire', { jti: 'a', iat: now - 301, exp: now + 1 }, false],
    ['without iat, valid for 5 min', { jti: 'a', exp: now + 300 }, true],
    ['without iat, valid for longer', { jti: 'a', exp: now + 301 }, false],
    ['without iat and exp', { jti: 'a' }, false],
    ['without jti', { iat: now }, false],
    ['with an empty jti', { jti: '', iat: now }, false],
    ['with a number as jti', { jti: 1, iat: now }, false],
    ['with a jti that is too long', { jti: 'x'.repeat(257), iat: now }, false],
  ])('that may be used once and is %s is accepted or not', async (_name, claims, isAccepted) => {
    expect('authenticated' in ((await check(claims, once)).outcome ?? {})).toBe(isAccepted);
    // Without the setting none of this counts.
    expect((await check(claims)).outcome).toHaveProperty('authenticated');
  });

  test.each([
    [{ audience: 'm2m' }, { audience: 'api', oneTimeUse: true }],
    [{ audience: 'm2m', oneTimeUse: true }, { audience: 'api' }],
  ])('may be used once if one of the entries that accept it says so: %j, %j', async (...trusted) => {
    const { outcome } = await check({ ...FRESH, aud: ['m2m', 'api'] }, { trusted });
    expect(outcome).toHaveProperty('authenticated.assertion.earliestUse', now);
    expect((await check({ aud: ['m2m', 'api'] }, { trusted })).outcome).toHaveProperty('problem');
  });

  const endpoint = { authority: AUTHORITY, audience: 'api' };
  const both = { aud: ['m2m', 'api'] };
  test.each<[string, object, TrustedEndpoint, boolean]>([
    ['a bearer of the same audience', {}, { ...endpoint, audience: 'm2m' }, false],
    ['a bearer of one of its audiences', both, endpoint, false],
    ['a bearer of an endpoint for any audience', {}, { ...endpoint, audience: '*' }, false],
    ['for another audience than bearers', {}, endpoint, true],
    ['a bearer of another issuer', both, { ...endpoint, authority: 'https://other' }, true],
    ['a bearer that may be both', both, { ...endpoint, alsoAssertions: true }, true],
  ])('that is %s is accepted or not', async (_name, claims, trustedEndpoint, isAccepted) => {
    const { outcome, asked } = await check(claims, { endpoints: [trustedEndpoint] });
    expect('authenticated' in (outcome ?? {})).toBe(isAccepted);
    expect(asked).toHaveLength(isAccepted ? 1 : 0);
  });

  test('that the issuer has signed and that lacks something alone is rejected with words that say so', async () => {
    await expect(check({}, { lacks: 'it has no exp' })).rejects.toMatchObject({
      code: 'Refused',
      oauthCode: 'invalid_client',
      message: 'the assertion is signed by a trusted issuer, but it has no exp',
    });
    const { outcome, asked } = await check({ aud: 'other' }, { lacks: 'it has no exp' });
    expect([outcome, asked]).toEqual([{ problem: expect.any(String) }, []]);
  });

  test.each([
    ['', '/'],
    ['/', ''],
  ])('may differ from the authority (%j) by a slash at the end of iss (%j)', async (authority, iss) => {
    const trusted = { authority: `${AUTHORITY}${authority}` };
    const claims = { iss: `${AUTHORITY}${iss}` };
    expect((await check(claims, { trusted })).outcome).toHaveProperty('authenticated');
    const bearer = { authority: `${AUTHORITY}${authority}`, audience: 'm2m' };
    const { outcome } = await check(claims, { trusted, endpoints: [bearer] });
    expect(outcome).toEqual({ problem: 'it is a bearer of authorization.endpoints' });
  });

  test('of another issuer is of no kind that the client has', async () => {
    expect((await check({ iss: 'https://other' })).outcome).toBeUndefined();
  });
});
