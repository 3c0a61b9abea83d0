import { describe, expect, test } from '@jest/globals';
import { cachedIssuedTokenOf } from '../../../../operator/domain/record/issued-token.ts';
import {
  planIssuedTokenRevocation,
  planTokenRevocation,
} from '../../../../operator/domain/record/revocation-plan.ts';
import { uuidV5 } from '../../../../operator/domain/token/declared-token.ts';
import { declaredToken, EXPIRES, issuedToken, TOKEN_UID } from '../../issuer/registry/fake-registry.ts';
import { makeToken } from '../token/fake-token.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const DERIVED = uuidV5(TOKEN_UID, 'an assertion');
const REVOKED = { version: 3, blacklisted: { flag: true, timestamp: '2026-01-01T00:00:10Z' } };
const NOW = EXPIRES - 10;
const BLACKLIST = { kind: 'write' };
const DELETE = { kind: 'delete' };
const NOTHING = { kind: 'nothing' };

describe('an issued token', () => {
  const record = (...args: Parameters<typeof issuedToken>) => cachedIssuedTokenOf(issuedToken(...args));

  test.each([
    ['that is live is blacklisted', record(ID), NOW, BLACKLIST],
    ['that never expires is blacklisted', record(ID, { expiration: undefined as never }), NOW * 2, BLACKLIST],
    ['that expires now is deleted', record(ID), EXPIRES, DELETE],
    ['that is blacklisted and live is left alone', record(ID, {}, { status: REVOKED }), NOW, NOTHING],
    ['that is to be revoked and live is left alone', record(ID, { revoked: true }), NOW, NOTHING],
    ['that is blacklisted and expired is deleted', record(ID, {}, { status: REVOKED }), EXPIRES, DELETE],
    [
      'made a moment ago without an assertion of its client is deleted once it has expired',
      record(ID, { issuedAt: '2026-01-01T00:59:00Z' }),
      EXPIRES,
      DELETE,
    ],
    [
      'that is being deleted is left alone',
      record(ID, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      EXPIRES,
      NOTHING,
    ],
    [
      'that keeps an assertion from being used again stays though it is expired',
      record(DERIVED, { issuedAt: '2026-01-01T00:59:00Z' }),
      EXPIRES,
      NOTHING,
    ],
    [
      'of an assertion that can no longer be replayed is deleted',
      record(DERIVED, { issuedAt: '2026-01-01T00:54:00Z' }),
      EXPIRES,
      DELETE,
    ],
    [
      'whose iat is backdated keeps its assertion from being used again since its creation',
      { ...record(DERIVED), issuedAt: EXPIRES - 600, expiration: EXPIRES - 3590 },
      EXPIRES - 3300,
      NOTHING,
    ],
  ])('%s', (_name, found, now, wanted) => {
    expect(planIssuedTokenRevocation(found, now)).toMatchObject(wanted);
  });

  test('is blacklisted with the time and the next version', () => {
    expect(planIssuedTokenRevocation(record(ID, {}, { status: { version: 4 } }), NOW)).toEqual({
      kind: 'write',
      counts: { blacklisted: 1, deleted: 0 },
      status: { version: 5, blacklisted: { flag: true, timestamp: '2026-01-01T00:59:50Z' } },
    });
  });
});

describe('a declared Token', () => {
  const previous = (expiration: string) => [
    { id: ID, issuedAt: '2026-01-01T00:00:00Z', expiration, keyID: 'key-1' },
  ];

  test.each([
    ['that is live is blacklisted', declaredToken(), NOW, BLACKLIST],
    ['that has no JWT yet is blacklisted', makeToken(), NOW, BLACKLIST],
    [
      'that never expires is blacklisted',
      declaredToken({ expiration: undefined as never }),
      NOW * 2,
      BLACKLIST,
    ],
    ['that has expired is deleted', declaredToken(), EXPIRES, DELETE],
    [
      'of which an earlier JWT is still valid is blacklisted',
      declaredToken({ previous: previous('2026-01-01T01:00:01Z') }),
      EXPIRES,
      BLACKLIST,
    ],
    ['that is blacklisted is left alone', declaredToken(REVOKED), NOW, NOTHING],
    ['that is to be revoked is left alone', declaredToken({}, { revoked: true }), NOW, NOTHING],
    ['that is blacklisted and has expired is deleted', declaredToken(REVOKED), EXPIRES, DELETE],
    [
      'that is being deleted is left alone',
      declaredToken({}, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      NOW,
      NOTHING,
    ],
  ])('%s', (_name, token, now, wanted) => {
    expect(planTokenRevocation(token, now)).toMatchObject(wanted);
  });

  test('keeps the rest of its status', () => {
    const token = declaredToken();
    expect(planTokenRevocation(token, NOW)).toEqual({
      kind: 'write',
      counts: { blacklisted: 1, deleted: 0 },
      status: {
        ...token.status,
        version: 2,
        blacklisted: { flag: true, timestamp: '2026-01-01T00:59:50Z' },
      },
    });
  });
});
