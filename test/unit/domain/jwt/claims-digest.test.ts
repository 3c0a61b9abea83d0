import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isReservedClaim } from '../../../../operator/api/reserved-claims.ts';
import {
  buildJwt,
  CLAIMS,
  type ClaimsGrant,
  claimsDigest,
  type IssuerSettings,
} from '../../../../operator/domain/jwt/claims.ts';
import { issuerSettings } from '../../../support/issuer-settings.ts';

const settings = issuerSettings();
const configured: IssuerSettings = { ...settings, ownerClaim: 'owner', deviceIDClaim: 'device' };
const times = { id: 'f', issuedAt: 1_767_225_600, expiresAt: 1_767_229_200 };
const minimal: ClaimsGrant = {
  clientID: 'app',
  owner: 'alice',
  subject: 'alice',
  audience: [],
  scope: [],
  name: 'reports',
  token: 'team/reports',
};
/** A grant with a value for each of its members: the compiler names one that is missing. */
const full: { readonly [K in keyof Required<ClaimsGrant>]: NonNullable<ClaimsGrant[K]> } = {
  clientID: 'app',
  owner: 'alice',
  subject: 'alice',
  audience: ['b', 'a'],
  scope: ['write', 'read'],
  name: 'reports',
  token: 'team/reports',
  deviceID: 'd-1',
  originalTokenClaims: { groups: ['x'] },
  extraClaims: { tier: 'gold', nested: { z: 1, a: [2] } },
};

describe('the digest of existing Tokens', () => {
  // Computed by the release before the claims became a table. A changed value reissues every Token at an upgrade.
  test.each<[string, string, IssuerSettings, ClaimsGrant, number | undefined]>([
    ['few claims', 'w6ZZ1uZsx8fMEMgDygSngxWup7eumgi0htr2MIXVsP4', settings, minimal, times.expiresAt],
    ['no expiration', 'w6ZZ1uZsx8fMEMgDygSngxWup7eumgi0htr2MIXVsP4', settings, minimal, undefined],
    ['all claims', '94XtlplWpxVUkvMPjO0EhiLy71DsA1wdbPJAAHINHcU', settings, full, times.expiresAt],
    [
      'configured claims',
      '4FVLOEBvmMoyyMiIEvvjN5EXYX2KuEbQVqRO-Ryz8_A',
      { ...configured, tokenType: 'JWT' },
      full,
      times.expiresAt,
    ],
  ])('with %s is %s', (_, digest, issuer, grant, expiresAt) => {
    expect(claimsDigest(buildJwt(issuer, grant, { ...times, expiresAt }))).toBe(digest);
  });
});

describe('a claim that depends on time', () => {
  const seconds = fc.integer({ min: 0, max: 4_000_000_000 });
  const anyTimes = fc.record({ id: fc.uuid(), issuedAt: seconds, expiresAt: seconds });

  test('does not change the digest: a Token would be ClaimsChanged at each reconcile', () => {
    fc.assert(
      fc.property(
        anyTimes,
        anyTimes,
        fc.constantFrom(settings, configured),
        fc.boolean(),
        (at, later, issuer, expires) => {
          const digestAt = (when: typeof at) =>
            claimsDigest(
              buildJwt(issuer, full, { ...when, expiresAt: expires ? when.expiresAt : undefined }),
            );
          expect(digestAt(later)).toBe(digestAt(at));
        },
      ),
    );
  });
});

describe('the list of claims', () => {
  test('has every claim that the issuer sets', () => {
    const { claims } = buildJwt(configured, full, times);
    const others = ['owner', 'device', ...Object.keys(full.extraClaims)];
    const unlisted = Object.keys(claims)
      .filter((name) => !Object.hasOwn(CLAIMS, name) && !others.includes(name))
      .map((name) => `${name}: add it to CLAIMS in operator/domain/jwt/claims.ts, with inDigest`);
    expect(unlisted).toEqual([]);
  });

  test('has only claims that no client may set', () => {
    const settable = Object.keys(CLAIMS)
      .filter((name) => !isReservedClaim(name))
      .map((name) => `${name}: add it to RESERVED_CLAIMS in operator/api/reserved-claims.ts`);
    expect(settable).toEqual([]);
  });

  test('excludes from the digest what specification and decision 0003 name', () => {
    const excluded = Object.keys(CLAIMS).filter((name) => CLAIMS[name]?.inDigest === false);
    expect(excluded.sort()).toEqual(['exp', 'iat', 'jti']);
  });
});
