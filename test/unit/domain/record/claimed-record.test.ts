import { expect, test } from '@jest/globals';
import { recordOfClaims } from '../../../../operator/domain/record/claimed-record.ts';
import { declaredRecordOf } from '../../../../operator/domain/record/declared-records.ts';
import { tokenId } from '../../../../operator/domain/token/declared-token.ts';
import { declaredClaims, declaredToken, EXPIRES, TOKEN_UID } from '../../issuer/registry/fake-registry.ts';

const NEXT = tokenId(TOKEN_UID, 2);
const next = declaredRecordOf(declaredToken(), NEXT);

test('of a JWT that status does not name yet stands what the JWT says', () => {
  if (next?.state !== 'Next') throw new Error('the next record is needed');
  const claims = declaredClaims(NEXT, {
    name: 'reports',
    aud: ['https://api.example'],
    scope: 'read write',
    iat: EXPIRES - 60,
    exp: EXPIRES + 60,
    team: 'blue',
  });
  expect(recordOfClaims(next, claims, 'team')).toMatchObject({
    id: NEXT,
    origin: next.origin,
    version: next.version + 1,
    name: 'reports',
    owner: 'blue',
    subject: 'alice',
    clientID: 'app',
    audience: ['https://api.example'],
    scope: ['read', 'write'],
    issuedAt: EXPIRES - 60,
    expiration: EXPIRES + 60,
    blacklistedAt: undefined,
  });
});

test('what the JWT leaves out is empty, and a blacklisting stays', () => {
  if (next?.state !== 'Next') throw new Error('the next record is needed');
  const found = recordOfClaims({ ...next, blacklistedAt: 7 }, { jti: NEXT, sub: 'alice' }, 'sub');
  expect(found).toMatchObject({ owner: 'alice', audience: [], scope: [], issuedAt: 0, blacklistedAt: 7 });
  expect(found.expiration).toBeUndefined();
  expect(found.name).toBe(next.name);
});
