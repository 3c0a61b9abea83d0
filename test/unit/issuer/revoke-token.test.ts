import { beforeEach, describe, expect, test } from '@jest/globals';
import { tokenId } from '../../../operator/domain/token/declared-token.ts';
import { IssuerFailure, refused } from '../../../operator/issuer/failure.ts';
import type { RevocationTarget } from '../../../operator/issuer/registry/revoke-records.ts';
import { createRevokeToken, type RevokeTokenOptions } from '../../../operator/issuer/revoke-token.ts';
import { clientWith, patient } from './clients.ts';
import {
  claimsOf,
  declaredClaims,
  declaredToken,
  EXPIRES,
  FakeRegistry,
  issuedToken,
  jwtOf,
  TOKEN_UID,
} from './registry/fake-registry.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const CREDENTIALS = { clientID: 'app', clientSecret: 's', assertionType: '', assertion: '' };
let env: FakeRegistry;
let caller: ReturnType<typeof clientWith>;
let ended: RevocationTarget[];

beforeEach(() => {
  env = new FakeRegistry();
  env.cache(issuedToken(ID));
  caller = clientWith(undefined);
  ended = [];
});

const revoke = (jwt: string, options: Partial<RevokeTokenOptions> = {}) =>
  createRevokeToken({
    authenticateClient: async () => ({ client: caller, method: 'clientSecret' }),
    validateJwt: (text) => env.validateJwt(text),
    revokeRecords: async (target) => {
      ended.push(target);
      return { blacklisted: 1, deleted: 0 };
    },
    ...options,
  })(jwt, CREDENTIALS, { address: '192.0.2.1', signal: patient });

const NOTHING = { clientID: 'app', id: undefined };

describe('the client’s own token', () => {
  test('is ended', async () => {
    expect(await revoke(jwtOf(claimsOf(ID)))).toEqual({ clientID: 'app', id: ID });
    expect(ended).toEqual([
      { kind: 'IssuedToken', namespace: 'team', name: ID, uid: `uid-of-${ID}`, ids: new Set([ID]) },
    ]);
  });

  test.each([
    ['current', 1],
    ['next', 2],
  ])('is ended as a whole by the %s JWT where it is declared', async (_name, issuance) => {
    env.tokens.putIfNewer(declaredToken());
    const id = tokenId(TOKEN_UID, issuance);
    expect(await revoke(jwtOf(declaredClaims(id)))).toEqual({ clientID: 'app', id });
    expect(ended).toMatchObject([{ kind: 'Token', name: 'reports' }]);
  });

  test('that another ended first is not this call’s', async () => {
    expect(
      await revoke(jwtOf(claimsOf(ID)), { revokeRecords: async () => ({ blacklisted: 0, deleted: 0 }) }),
    ).toEqual(NOTHING);
  });

  test('that can not be ended now is not said to be', async () => {
    const revokeRecords = async () => {
      throw new IssuerFailure('Unavailable', 'the token can not be revoked now, try again later');
    };
    await expect(revoke(jwtOf(claimsOf(ID)), { revokeRecords })).rejects.toMatchObject({
      code: 'Unavailable',
    });
  });

  test('of which nothing is known now is not said to be revoked', async () => {
    env.fresh.issued = false;
    env.isReachable = false;
    await expect(revoke(jwtOf(claimsOf(ID)))).rejects.toMatchObject({ code: 'Unavailable' });
    expect(ended).toEqual([]);
  });
});

describe('nothing is ended by', () => {
  test.each<[string, () => void, string]>([
    ['what is no JWT of ours', () => undefined, 'garbage'],
    ['a bare jti', () => undefined, ID],
    ['a token without a record', () => undefined, jwtOf(claimsOf('unknown'))],
    [
      'one that is blacklisted already',
      () => env.cache(issuedToken(ID, { revoked: true }, { resourceVersion: '2' })),
      jwtOf(claimsOf(ID)),
    ],
    [
      'one of another client',
      () => {
        caller = clientWith(undefined, { clientID: 'app' });
        caller = { ...caller, metadata: { ...caller.metadata, uid: 'another' } };
      },
      jwtOf(claimsOf(ID)),
    ],
  ])('%s', async (_name, change, jwt) => {
    change();
    expect(await revoke(jwt)).toEqual(NOTHING);
    expect(ended).toEqual([]);
  });

  test('one that has expired: its record stays as long as others do', async () => {
    await env.clock.advance(EXPIRES * 1000 - env.clock.now());
    expect(await revoke(jwtOf(claimsOf(ID)))).toEqual(NOTHING);
    expect(ended).toEqual([]);
  });
});

describe('before anything is validated', () => {
  const validateJwt = async () => {
    throw new Error('validated');
  };

  test('the client has to prove itself', async () => {
    const authenticateClient = async () => {
      throw refused('invalid_client', 'client authentication failed');
    };
    await expect(revoke(jwtOf(claimsOf(ID)), { authenticateClient, validateJwt })).rejects.toMatchObject({
      oauthCode: 'invalid_client',
    });
  });

  test('a suspended client is rejected, so that it does not take its token for revoked', async () => {
    caller = clientWith(undefined, { suspended: true });
    await expect(revoke(jwtOf(claimsOf(ID)), { validateJwt })).rejects.toMatchObject({
      oauthCode: 'unauthorized_client',
    });
  });
});
