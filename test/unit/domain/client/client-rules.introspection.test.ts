import { describe, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import {
  introspectionOf,
  isOwnToken,
  mayIntrospect,
} from '../../../../operator/domain/client/client-rules.ts';
import { cachedIssuedTokenOf } from '../../../../operator/domain/record/issued-token.ts';
import type {
  CurrentRecord,
  NextRecord,
  PreviousRecord,
} from '../../../../operator/domain/record/token-record.ts';
import { clientWith } from '../../issuer/clients.ts';
import { claimsOf, EXPIRES, issuedToken } from '../../issuer/registry/fake-registry.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const AUDIENCE = 'https://api.example';
const record: CurrentRecord = cachedIssuedTokenOf(issuedToken(ID));
const claims = claimsOf(ID, { aud: ['https://other.example', AUDIENCE] });
const owner = clientWith(undefined);

type Introspection = OAuthClient['spec']['introspection'];

/** Another client, with that policy. */
const otherClient = (introspection: Introspection = undefined): OAuthClient => {
  const client = clientWith(undefined, { clientID: 'other', ...(introspection && { introspection }) });
  return { ...client, metadata: { ...client.metadata, name: 'other', uid: 'uid-of-other' } };
};

describe('a token is the own one', () => {
  test('of the client that it was issued to', () => {
    expect(isOwnToken(owner, record, claims)).toBe(true);
    expect(isOwnToken(otherClient(), record, claims)).toBe(false);
  });

  test('not of a client that was made again under its name', () => {
    const again = { ...owner, metadata: { ...owner.metadata, uid: 'another' } };
    expect(isOwnToken(again, record, claims)).toBe(false);
  });

  test('not of one that has another client ID meanwhile', () => {
    expect(isOwnToken(clientWith(undefined, { clientID: 'renamed' }), record, claims)).toBe(false);
  });

  test('by name while its record is still to be written, which knows no UID', () => {
    const { id, origin, client, version, name } = record;
    const next: NextRecord = {
      ...{ id, origin, client, version, name, blacklistedAt: undefined, expiration: undefined },
      state: 'Next',
      clientUID: undefined,
      secretName: 'reports',
      tokenOwner: undefined,
    };
    expect(isOwnToken(owner, next, claims)).toBe(true);
    expect(isOwnToken(owner, { ...next, client: 'elsewhere/app' }, claims)).toBe(false);
  });
});

test.each<[string, Introspection, unknown, boolean]>([
  ['without a policy', undefined, claims.aud, false],
  ['with Own', { policy: 'Own' }, claims.aud, false],
  ['with Own and audiences that are not for it', { policy: 'Own', audiences: [AUDIENCE] }, claims.aud, false],
  ['with Audience and one of the token’s', { policy: 'Audience', audiences: [AUDIENCE] }, claims.aud, true],
  ['with Audience and part of one', { policy: 'Audience', audiences: ['https://api'] }, claims.aud, false],
  ['with Audience and none', { policy: 'Audience', audiences: [] }, claims.aud, false],
  ['with Audience, of a token without any', { policy: 'Audience', audiences: [AUDIENCE] }, undefined, false],
  ['with All', { policy: 'All' }, undefined, true],
])('another client %s may introspect: %#', (_name, introspection, aud, wanted) => {
  expect(mayIntrospect(otherClient(introspection), record, { ...claims, aud })).toBe(wanted);
});

test('a client may introspect its own tokens under every policy', () => {
  for (const policy of ['Own', 'Audience', 'All'] as const) {
    const client = clientWith(undefined, { introspection: { policy, audiences: [] } });
    expect(mayIntrospect(client, record, claims)).toBe(true);
  }
});

describe('the description of a token', () => {
  test('is its claims, without those of its original token', () => {
    expect(introspectionOf(record, { ...claims, originalTokenClaims: { email: 'x' } })).toEqual(claims);
  });

  test('ends when an earlier JWT of a declared Token stops being valid', () => {
    const { owner: tokenOwner, ...rest } = record;
    const previous: PreviousRecord = { ...rest, tokenOwner, state: 'Previous', expiration: EXPIRES - 600 };
    expect(introspectionOf(previous, claims).exp).toBe(EXPIRES - 600);
    const { exp: _exp, ...unbounded } = claims;
    expect(introspectionOf(previous, unbounded).exp).toBe(EXPIRES - 600);
  });

  test('says nothing of an end where there is none', () => {
    const { exp: _exp, ...unbounded } = claims;
    expect(introspectionOf({ ...record, expiration: undefined }, unbounded)).toEqual(unbounded);
  });
});
