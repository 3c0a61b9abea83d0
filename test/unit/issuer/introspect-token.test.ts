import { beforeEach, describe, expect, test } from '@jest/globals';
import { cachedIssuedTokenOf } from '../../../operator/domain/record/issued-token.ts';
import { tokenId } from '../../../operator/domain/token/declared-token.ts';
import { refused } from '../../../operator/issuer/failure.ts';
import { createIntrospectToken } from '../../../operator/issuer/introspect-token.ts';
import type { JwtValidation } from '../../../operator/issuer/registry/validate-jwt.ts';
import type { ClientCredentials, IntrospectToken } from '../../../operator/issuer/use-cases.ts';
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
const CREDENTIALS: ClientCredentials = {
  clientID: 'app',
  clientSecret: 's',
  assertionType: '',
  assertion: '',
};
let env: FakeRegistry;
let caller: ReturnType<typeof clientWith>;
let jwtValidated: number;

beforeEach(() => {
  env = new FakeRegistry();
  env.cache(issuedToken(ID));
  caller = clientWith(undefined);
  jwtValidated = 0;
});

const introspect = (jwt: string) =>
  createIntrospectToken({
    authenticateClient: async () => ({ client: caller, method: 'clientSecret' }),
    validateJwt: (text) => {
      jwtValidated += 1;
      return env.validateJwt(text);
    },
  })(jwt, CREDENTIALS, { address: '192.0.2.1', signal: patient });

test('a valid token is described, without the claims of its original token', async () => {
  const claims = claimsOf(ID, { originalTokenClaims: { email: 'dave@example.com' } });
  expect(await introspect(jwtOf(claims))).toEqual(claimsOf(ID));
});

test('a declared Token’s JWT whose status is still to be written is valid, and described by its claims', async () => {
  env.tokens.putIfNewer(declaredToken());
  const claims = declaredClaims(tokenId(TOKEN_UID, 2), { exp: EXPIRES + 60 });
  expect(await introspect(jwtOf(claims, 'key-2'))).toEqual(claims);
});

describe('a token whose answer was given before', () => {
  const claims = Object.freeze(claimsOf(ID));
  const record = cachedIssuedTokenOf(issuedToken(ID));
  let validation: JwtValidation;
  let introspectToken: IntrospectToken;
  const ask = () => introspectToken(jwtOf(claims), CREDENTIALS, { address: '192.0.2.1', signal: patient });

  beforeEach(() => {
    validation = { kind: 'valid', claims, record };
    introspectToken = createIntrospectToken({
      authenticateClient: () => ({ client: caller, method: 'clientSecret' }),
      validateJwt: () => validation,
    });
    expect(ask()).toEqual(claims);
  });

  test('is described by the same object, without a wait', () => {
    expect(ask()).toBe(ask());
  });

  test('is described no more once it is invalid', () => {
    validation = { kind: 'invalid', fault: 'Blacklisted', claims, record };
    expect(ask()).toBeUndefined();
  });

  test('is described by its current record', () => {
    validation = { kind: 'valid', claims, record: { ...record, expiration: EXPIRES - 60 } };
    expect(ask()).toEqual({ ...claims, exp: EXPIRES - 60 });
  });

  test('is not described to a client that may not introspect it', () => {
    caller = clientWith(undefined, { clientID: 'other' });
    expect(ask()).toBeUndefined();
  });
});

describe('nothing is said of', () => {
  test.each<[string, () => void, string]>([
    ['what is no JWT of ours', () => undefined, 'garbage'],
    ['a bare jti', () => undefined, ID],
    ['a token without a record', () => undefined, jwtOf(claimsOf('unknown'))],
    ['one of another key', () => undefined, jwtOf(claimsOf(ID), 'key-2')],
    [
      'a blacklisted one',
      () => env.cache(issuedToken(ID, { revoked: true }, { resourceVersion: '2' })),
      jwtOf(claimsOf(ID)),
    ],
    [
      'one of a suspended client',
      () => env.clients.putIfNewer(clientWith(undefined, { suspended: true }, '2')),
      jwtOf(claimsOf(ID)),
    ],
    [
      'one that is another client’s',
      () => {
        caller = clientWith(undefined, { clientID: 'other' });
      },
      jwtOf(claimsOf(ID)),
    ],
  ])('%s', async (_name, change, jwt) => {
    change();
    expect(await introspect(jwt)).toBeUndefined();
  });

  test('an expired one', async () => {
    await env.clock.advance(EXPIRES * 1000 - env.clock.now());
    expect(await introspect(jwtOf(claimsOf(ID)))).toBeUndefined();
  });
});

describe('before anything is validated', () => {
  test('the client has to prove itself', async () => {
    const introspectToken = createIntrospectToken({
      authenticateClient: async () => {
        throw refused('invalid_client', 'client authentication failed');
      },
      validateJwt: async () => {
        throw new Error('validated');
      },
    });
    const call = { address: '192.0.2.1', signal: patient };
    await expect(introspectToken(jwtOf(claimsOf(ID)), CREDENTIALS, call)).rejects.toMatchObject({
      oauthCode: 'invalid_client',
    });
  });

  test('a suspended client is rejected', async () => {
    caller = clientWith(undefined, { suspended: true });
    await expect(introspect(jwtOf(claimsOf(ID)))).rejects.toMatchObject({
      oauthCode: 'unauthorized_client',
    });
    expect(jwtValidated).toBe(0);
  });
});

test.each<[string, () => void]>([
  [
    'records',
    () => {
      env.fresh.issued = false;
    },
  ],
  [
    'clients',
    () => {
      env.fresh.clients = false;
    },
  ],
  [
    'keys',
    () => {
      env.fresh.keys = false;
    },
  ],
  [
    'the time',
    () => {
      env.isClockUsable = false;
    },
  ],
])('without knowing %s it fails, and answers neither active nor inactive', async (_name, change) => {
  change();
  env.isReachable = false;
  env.live.set(`issued team/${ID}`, cachedIssuedTokenOf(issuedToken(ID)));
  await expect(introspect(jwtOf(claimsOf(ID)))).rejects.toMatchObject({ code: 'Unavailable' });
});
