import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RESERVED_CLAIMS } from '../../../../operator/api/reserved-claims.ts';
import {
  buildJwt,
  type ClaimsGrant,
  claimsDigest,
  findReservedClaims,
  issuedAtFor,
} from '../../../../operator/domain/jwt/claims.ts';
import { issuerSettings } from '../../../support/issuer-settings.ts';

const settings = issuerSettings({ url: 'https://issuer.example/base' });
const grant: ClaimsGrant = {
  clientID: 'app',
  owner: 'alice',
  subject: 'alice',
  audience: ['https://api.example'],
  scope: ['read', 'write'],
  name: 'reports',
  token: 'team/reports',
};
const times = {
  id: '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  issuedAt: 1_700_000_000,
  expiresAt: 1_700_003_600,
};

describe('the claims of a JWT', () => {
  test('are those of the specification, and no others', () => {
    expect(buildJwt(settings, grant, times)).toEqual({
      typ: 'at+jwt',
      claims: {
        iss: 'https://issuer.example/base',
        jti: '2ed6657d-e927-568b-95e1-2665a8aea6a2',
        sub: 'alice',
        aud: ['https://api.example'],
        iat: 1_700_000_000,
        exp: 1_700_003_600,
        client_id: 'app',
        scope: 'read write',
        name: 'reports',
        'm2moauth.dev/token': 'team/reports',
      },
    });
  });

  test.each<[string, Partial<ClaimsGrant>, number | undefined, string[]]>([
    ['no audience', { audience: [] }, 1, ['aud']],
    ['no expiration', {}, undefined, ['exp']],
    ['neither', { audience: [] }, undefined, ['aud', 'exp']],
  ])('with %s leave it out, and the type is JWT', (_, change, expiresAt, missing) => {
    const { typ, claims } = buildJwt(settings, { ...grant, ...change }, { ...times, expiresAt });
    expect(typ).toBe('JWT');
    for (const name of missing) expect(claims).not.toHaveProperty(name);
  });

  test('of type JWT by configuration say so', () => {
    expect(buildJwt({ ...settings, tokenType: 'JWT' }, grant, times).typ).toBe('JWT');
  });

  test('of an issued token do not have what only declared tokens have', () => {
    const { claims } = buildJwt(settings, { ...grant, token: undefined, scope: [] }, times);
    expect(claims).not.toHaveProperty('m2moauth.dev/token');
    expect(claims).not.toHaveProperty('scope');
  });

  test('carry device and original claims where there are some', () => {
    const { claims } = buildJwt(
      { ...settings, deviceIDClaim: 'device' },
      { ...grant, deviceID: 'd-1', originalTokenClaims: { a: [1] } },
      times,
    );
    expect(claims).toMatchObject({ device: 'd-1', originalTokenClaims: { a: [1] } });
    expect(buildJwt({ ...settings, deviceIDClaim: 'device' }, grant, times).claims).not.toHaveProperty(
      'device',
    );
  });

  test.each(['sub', 'name', 'https://claims.example/owner'])('let the owner claim %s win', (ownerClaim) => {
    const { claims } = buildJwt({ ...settings, ownerClaim }, { ...grant, subject: 'service' }, times);
    expect(claims[ownerClaim]).toBe('alice');
    if (ownerClaim !== 'sub') expect(claims.sub).toBe('service');
  });

  test('need an owner', () => {
    expect(() => buildJwt(settings, { ...grant, owner: '' }, times)).toThrow(RangeError);
  });

  test('are never set by a client that may not, whatever it asks for', () => {
    const custom = { ...settings, ownerClaim: 'owner', deviceIDClaim: 'device' };
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.oneof(fc.constantFrom(...RESERVED_CLAIMS, 'owner', 'device', '__proto__'), fc.string()),
          fc.jsonValue(),
        ),
        (extraClaims) => {
          const plain = buildJwt(custom, grant, times).claims;
          const { claims } = buildJwt(custom, { ...grant, extraClaims }, times);
          expect(claims).toMatchObject(plain);
          for (const name of [...RESERVED_CLAIMS, 'device']) {
            expect(Object.hasOwn(claims, name)).toBe(Object.hasOwn(plain, name));
          }
          expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
        },
      ),
    );
  });

  test('that are reserved are found by name', () => {
    expect(findReservedClaims({ tier: 1, nbf: 1, act: {}, sub: 'x' }, settings)).toEqual([
      'act',
      'nbf',
      'sub',
    ]);
    expect(findReservedClaims({ owner: 1 }, { ...settings, ownerClaim: 'owner' })).toEqual(['owner']);
    expect(findReservedClaims(undefined, settings)).toEqual([]);
  });

  test('iat is floored, less the backdate', () => {
    expect(issuedAtFor(1_700_000_000_999, settings)).toBe(1_700_000_000);
    expect(issuedAtFor(1_700_000_000_999, { ...settings, backdateMs: 10_000 })).toBe(1_699_999_990);
  });
});

describe('the digest of claims', () => {
  const digestOf = (change: Partial<ClaimsGrant>, at = times) =>
    claimsDigest(buildJwt(settings, { ...grant, ...change }, at));

  test('is the recorded one: another would issue every Token anew', () => {
    expect(digestOf({})).toBe('XfXD3rGPFkvihd1KV2gblOlkT6bo15sAyXvEGQrTywE');
    expect(digestOf({ extraClaims: { z: { b: [1, null], a: 'ü' }, y: false } })).toBe(
      'CpJ-dkoKVhL2VMM-qf-tbNMjuiEitdxhDd362xqjWRA',
    );
  });

  test('is the same for another id, other times of the same kind, and the same sets', () => {
    expect(digestOf({ scope: ['write', 'read'] }, { id: 'x', issuedAt: 5, expiresAt: 6 })).toBe(digestOf({}));
    expect(digestOf({ audience: ['b', 'a'] })).toBe(digestOf({ audience: ['a', 'b'] }));
  });

  test.each<[string, Partial<ClaimsGrant>]>([
    ['client', { clientID: 'b' }],
    ['owner', { owner: 'bob' }],
    ['audience', { audience: ['x'] }],
    ['scope', { scope: ['read'] }],
    ['name', { name: 'b' }],
    ['Token', { token: 'team/b' }],
    ['original claims', { originalTokenClaims: {} }],
    ['extra claims', { extraClaims: { a: 1 } }],
  ])('differs for another %s', (_, change) => {
    expect(digestOf(change)).not.toBe(digestOf({}));
  });
});
