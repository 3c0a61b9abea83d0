import { beforeEach, describe, expect, test } from '@jest/globals';
import { formatTime } from '../../../../operator/api/time.ts';
import { cachedIssuedTokenOf } from '../../../../operator/domain/record/issued-token.ts';
import { tokenId } from '../../../../operator/domain/token/declared-token.ts';
import { settle } from '../../../support/fake-clock.ts';
import { CLIENT_UID, clientWith } from '../clients.ts';
import {
  claimsOf,
  declaredClaims,
  declaredToken,
  deliveredSecret,
  EXPIRES,
  FakeRegistry,
  issuedToken,
  jwtOf,
  TOKEN_UID,
} from './fake-registry.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const [FIRST, SECOND, THIRD] = [1, 2, 3].map((issuance) => tokenId(TOKEN_UID, issuance)) as [
  string,
  string,
  string,
];
const REVOKED = { blacklisted: { flag: true, timestamp: '2026-01-01T00:00:10Z' } };
let env: FakeRegistry;

beforeEach(() => {
  env = new FakeRegistry();
});

const result = async (jwt: string): Promise<string> => {
  const validation = await env.validateJwt(jwt);
  return validation.kind === 'valid' ? 'valid' : validation.fault;
};
const outcome = (jwt: string): Promise<string> => result(jwt).catch(({ code }: { code: string }) => code);

describe('an issued token', () => {
  const again = issuedToken(ID, {}, { createdAt: EXPIRES - 60 });
  const restored = { ...again, metadata: { ...again.metadata, uid: 'uid-of-the-restored' } };

  beforeEach(() => env.cache(issuedToken(ID)));

  test('is valid while its record agrees, by the caches alone', async () => {
    expect(await env.validateJwt(jwtOf(claimsOf(ID)))).toMatchObject({ kind: 'valid', record: { id: ID } });
    expect(env.asked).toEqual([]);
    expect(env.metrics.calls).toContainEqual(['jwtValidated', 'valid']);
  });

  test.each([
    ['of another client', { client_id: 'other' }],
    ['of another owner', { sub: 'bob' }],
    ['that expires at another time', { exp: EXPIRES + 1 }],
    ['that never expires', { exp: undefined }],
    ['that says it is declared', { 'm2moauth.dev/token': 'team/reports' }],
  ])('%s than the record says is rejected', async (_name, changes) => {
    env.store('tokens', declaredToken());
    expect(await result(jwtOf(claimsOf(ID, changes)))).toMatch(/^(?:RecordDisagrees|Unknown)$/u);
  });

  test('by another key than the record says is rejected', async () => {
    expect(await result(jwtOf(claimsOf(ID), 'key-2'))).toBe('RecordDisagrees');
  });

  test('that no key of ours has signed is rejected', async () => {
    expect(await result('garbage')).toBe('NotOurs');
  });

  test.each([
    ['at its last second', EXPIRES * 1000 - 1, 'valid'],
    ['at its expiration', EXPIRES * 1000, 'Expired'],
  ])('%s', async (_name, at, wanted) => {
    await env.clock.advance(at - env.clock.now());
    expect(await result(jwtOf(claimsOf(ID)))).toBe(wanted);
  });

  test('of another replica whose clock is ahead, within what two ready replicas may differ by, is valid', async () => {
    const nbf = env.clock.now() / 1000 + 2 * 120;
    expect(await result(jwtOf(claimsOf(ID, { nbf })))).toBe('valid');
  });

  test.each([
    ['before nbf', { nbf: EXPIRES - 10 }],
    ['whose exp is no number', { exp: 'later' }],
  ])('%s is rejected', async (_name, changes) => {
    expect(await result(jwtOf(claimsOf(ID, changes)))).toBe('Expired');
  });

  test.each([
    ['status', issuedToken(ID, {}, { status: REVOKED, resourceVersion: '2' })],
    ['spec.revoked', issuedToken(ID, { revoked: true }, { resourceVersion: '2' })],
  ])('that is blacklisted by %s is rejected, with its record', async (_name, revoked) => {
    env.cache(revoked);
    expect(await env.validateJwt(jwtOf(claimsOf(ID)))).toMatchObject({
      kind: 'invalid',
      fault: 'Blacklisted',
      record: { id: ID },
    });
  });

  test.each([
    ['in the cache', () => env.cache(restored), []],
    [
      'that the API server has',
      () => env.store('issued', cachedIssuedTokenOf(restored)),
      [`issued team/${ID}`],
    ],
  ])('whose record was created again is unknown: %s', async (_name, put, asked) => {
    env.issued.forget(`team/${ID}`, `uid-of-${ID}`);
    put();
    expect(await result(jwtOf(claimsOf(ID)))).toBe('Unknown');
    expect(await result(jwtOf(claimsOf(ID)))).toBe('Unknown');
    expect(env.asked).toEqual(asked);
  });

  test('whose record was created again with a later time of issue disagrees with it', async () => {
    const later = { issuedAt: formatTime(EXPIRES - 60) };
    env.issued.forget(`team/${ID}`, `uid-of-${ID}`);
    env.cache({ ...issuedToken(ID, later, { createdAt: EXPIRES - 60 }), metadata: restored.metadata });
    expect(await result(jwtOf(claimsOf(ID)))).toBe('RecordDisagrees');
  });

  test('whose record is being deleted is rejected', async () => {
    const deletionTimestamp = '2026-01-01T00:00:01Z';
    const going = issuedToken(ID, {}, { deletionTimestamp, resourceVersion: '2' });
    env.cache(going);
    env.store('issued', cachedIssuedTokenOf(going));
    expect(await result(jwtOf(claimsOf(ID)))).toBe('Unknown');
  });
});

describe('the client of a token', () => {
  beforeEach(() => env.cache(issuedToken(ID)));
  const replaced = (changes: object) => env.clients.putIfNewer({ ...clientWith(undefined), ...changes });

  test('that is suspended invalidates it, and makes it valid again when it is resumed', async () => {
    env.clients.putIfNewer(clientWith(undefined, { suspended: true }, '2'));
    expect(await result(jwtOf(claimsOf(ID)))).toBe('ClientSuspended');
    env.clients.putIfNewer(clientWith(undefined, {}, '3'));
    expect(await result(jwtOf(claimsOf(ID)))).toBe('valid');
  });

  test.each([
    [
      'made again has another UID',
      { metadata: { ...clientWith(undefined, {}, '2').metadata, uid: 'other' } },
    ],
    ['has lost its client ID', { ...clientWith(undefined, {}, '2'), status: {} }],
    [
      'is being deleted',
      {
        metadata: { ...clientWith(undefined, {}, '2').metadata, deletionTimestamp: '2026-01-01T00:00:01Z' },
      },
    ],
  ])('that %s has no valid tokens', async (_name, changes) => {
    replaced(changes);
    expect(await result(jwtOf(claimsOf(ID)))).toBe('ClientGone');
  });

  test('that has gone to another issuer has none, whatever the API server has of the record', async () => {
    env.store('issued', cachedIssuedTokenOf(issuedToken(ID)));
    replaced(clientWith(undefined, { issuer: 'https://other.example' }, '2'));
    expect(await result(jwtOf(claimsOf(ID)))).toBe('ClientGone');
  });

  test('that is deleted has none, and the API server is asked once a second at most', async () => {
    env.clients.remove({ ...clientWith(undefined, {}, '2') });
    expect(await result(jwtOf(claimsOf(ID)))).toBe('ClientGone');
    expect(await result(jwtOf(claimsOf(ID)))).toBe('ClientGone');
    expect(env.asked).toEqual(['clients team/app']);
  });
});

describe('a declared token', () => {
  test('is valid with its current JWT', async () => {
    env.tokens.putIfNewer(declaredToken());
    expect(await result(jwtOf(declaredClaims(FIRST)))).toBe('valid');
  });

  test.each([
    ['another Token', { 'm2moauth.dev/token': 'team/other' }],
    ['no Token', { 'm2moauth.dev/token': undefined }],
    ['something else', { 'm2moauth.dev/token': 'a/b/c' }],
  ])('whose JWT names %s is rejected', async (_name, changes) => {
    env.tokens.putIfNewer(declaredToken());
    expect(await result(jwtOf(declaredClaims(FIRST, changes)))).toMatch(/^(?:RecordDisagrees|Unknown)$/u);
  });

  const renewed = (expiration: number) =>
    declaredToken({
      id: SECOND,
      issuance: 2,
      owner: 'bob',
      previous: [
        { id: FIRST, issuedAt: '2026-01-01T00:00:00Z', expiration: formatTime(expiration), keyID: 'key-1' },
      ],
    });

  test('is valid with an earlier JWT until its overlap ends, whatever its owner is by then', async () => {
    env.tokens.putIfNewer(renewed(EXPIRES - 60));
    expect(await result(jwtOf(declaredClaims(FIRST)))).toBe('valid');
    await env.clock.advance((EXPIRES - 60) * 1000 - env.clock.now());
    expect(await result(jwtOf(declaredClaims(FIRST)))).toBe('Expired');
  });

  test('is rejected with an earlier JWT that would end before its record does', async () => {
    env.tokens.putIfNewer(renewed(EXPIRES + 60));
    expect(await result(jwtOf(declaredClaims(FIRST)))).toBe('RecordDisagrees');
  });

  test('is valid with the JWT whose status is not written yet, and with no later one', async () => {
    env.tokens.putIfNewer(declaredToken());
    env.store('tokens', declaredToken());
    expect(await result(jwtOf(declaredClaims(SECOND), 'key-2'))).toBe('valid');
    expect(await result(jwtOf(declaredClaims(THIRD)))).toBe('Unknown');
  });

  test('that is revoked is rejected with every JWT, the next among them', async () => {
    env.tokens.putIfNewer(declaredToken({}, { revoked: true }));
    expect(await result(jwtOf(declaredClaims(FIRST)))).toBe('Blacklisted');
    expect(await result(jwtOf(declaredClaims(SECOND)))).toBe('Blacklisted');
  });
});

describe('the next JWT of a declared token', () => {
  const next = jwtOf(declaredClaims(SECOND), 'key-2');
  const madeAgain = (uid = 'other') => {
    const client = clientWith(undefined, {}, '2');
    env.clients.putIfNewer({ ...client, metadata: { ...client.metadata, uid } });
  };

  beforeEach(() => env.tokens.putIfNewer(declaredToken()));

  test.each<[string, () => void]>([
    ['as its Secret says', () => env.secrets.putIfNewer(deliveredSecret(SECOND, CLIENT_UID))],
    ['as the API server says', () => env.store('secrets', deliveredSecret(SECOND, CLIENT_UID))],
    ['which nothing denies', () => undefined],
    [
      'though another’s Secret says that it is for the other client',
      () => env.secrets.putIfNewer(deliveredSecret(SECOND, 'other', { ownerUID: 'another-token' })),
    ],
    [
      'though the Secret is for the other client, with another JWT',
      () => env.secrets.putIfNewer(deliveredSecret(THIRD, 'other')),
    ],
  ])('dies with its client that is created again, %s', async (_name, deliver) => {
    deliver();
    expect(await result(next)).toBe('valid');
    madeAgain();
    expect(await result(next)).toBe('ClientGone');
  });

  test('dies with its client that is deleted, and is not valid while it is suspended', async () => {
    env.clients.putIfNewer(clientWith(undefined, { suspended: true }, '2'));
    expect(await result(next)).toBe('ClientSuspended');
    env.clients.remove(clientWith(undefined, {}, '3'));
    expect(await result(next)).toBe('ClientGone');
  });

  test('is valid if it is for the client that was created again, by the cache or by one read', async () => {
    madeAgain();
    env.store('secrets', deliveredSecret(SECOND, 'other'));
    expect(await Promise.all([result(next), result(next)])).toEqual(['valid', 'valid']);
    expect(await result(next)).toBe('valid');
    expect(env.asked).toEqual(['secrets team/reports']);
  });

  test('is known as revoked if that happens while it is read whose it is', async () => {
    madeAgain();
    env.store('secrets', deliveredSecret(SECOND, 'other'));
    const held = Promise.withResolvers<void>();
    env.hold = held.promise;
    const validated = result(next);
    await settle();
    expect(env.asked).toEqual(['secrets team/reports']);
    env.tokens.putIfNewer(declaredToken({}, { revoked: true }, { resourceVersion: '2' }));
    held.resolve();
    expect(await validated).toBe('Blacklisted');
  });

  test('can’t be validated if that can not be read', async () => {
    madeAgain();
    env.isReachable = false;
    expect(await outcome(next)).toBe('Unavailable');
  });

  test('is the first one of a Token: its Secret says for whom it is', async () => {
    const { status: _none, ...token } = declaredToken({}, {}, { resourceVersion: '2' });
    env.tokens.putIfNewer(token);
    const first = jwtOf(declaredClaims(FIRST));
    env.secrets.putIfNewer(deliveredSecret(FIRST, CLIENT_UID));
    expect(await result(first)).toBe('valid');
    expect(env.asked).toEqual([]);
    madeAgain();
    expect(await result(first)).toBe('ClientGone');
  });
});

describe('what the caches do not know', () => {
  test('is asked for by one GET that those who wait share, and then is known', async () => {
    env.store('issued', cachedIssuedTokenOf(issuedToken(ID)));
    const jwt = jwtOf(claimsOf(ID));
    expect(await Promise.all([result(jwt), result(jwt), result(jwt)])).toEqual(['valid', 'valid', 'valid']);
    expect(await result(jwt)).toBe('valid');
    expect(env.asked).toEqual([`issued team/${ID}`]);
  });

  test('and is not there is bad, and asked for again after a second', async () => {
    const jwt = jwtOf(claimsOf(ID));
    expect(await result(jwt)).toBe('Unknown');
    await env.clock.advance(999);
    expect(await result(jwt)).toBe('Unknown');
    expect(env.asked).toHaveLength(1);
    env.store('issued', cachedIssuedTokenOf(issuedToken(ID)));
    await env.clock.advance(1);
    expect(await result(jwt)).toBe('valid');
  });

  test('can’t be validated while the API server is unreachable', async () => {
    env.isReachable = false;
    expect(await outcome(jwtOf(claimsOf(ID)))).toBe('Unavailable');
    expect(env.metrics.calls).toContainEqual(['jwtValidated', 'unavailable']);
  });

  test('of an unknown client is invalid without a read', async () => {
    expect(await result(jwtOf(claimsOf(ID, { client_id: 'unknown' })))).toBe('Unknown');
    expect(env.asked).toEqual([]);
  });
});

describe('a stale cache', () => {
  beforeEach(() => env.cache(issuedToken(ID)));
  const jwt = jwtOf(claimsOf(ID));

  test.each(['issued', 'clients'] as const)(
    'of %s makes a positive answer come from a read',
    async (kind) => {
      env.fresh[kind] = false;
      env.store('issued', cachedIssuedTokenOf(issuedToken(ID)));
      env.store('clients', clientWith(undefined));
      expect(await result(jwt)).toBe('valid');
      expect(env.asked).toHaveLength(1);
      env.isReachable = false;
      expect(await outcome(jwt)).toBe('Unavailable');
    },
  );

  test('does not hide a revocation that the API server has', async () => {
    env.fresh.issued = false;
    const revoked = issuedToken(ID, {}, { status: REVOKED, resourceVersion: '2' });
    env.store('issued', cachedIssuedTokenOf(revoked));
    expect(await result(jwt)).toBe('Blacklisted');
  });

  test('does not hide a deletion', async () => {
    env.fresh.issued = false;
    expect(await result(jwt)).toBe('Unknown');
    expect(env.records.find(ID)).toBeUndefined();
  });

  test('can not undo a no: what is known as blacklisted is rejected with no API server at all', async () => {
    env.cache(issuedToken(ID, {}, { status: REVOKED, resourceVersion: '2' }));
    Object.assign(env.fresh, { issued: false, clients: false, keys: false });
    env.isClockUsable = false;
    env.isReachable = false;
    expect(await result(jwt)).toBe('Blacklisted');
  });

  test('of signing keys leaves nothing to say, of a JWT by an unknown key neither', async () => {
    env.fresh.keys = false;
    expect(await outcome(jwt)).toBe('Unavailable');
    expect(await outcome('by an unknown key')).toBe('Unavailable');
  });
});

test('with a clock that is far off nothing is validated', async () => {
  env.cache(issuedToken(ID));
  env.isClockUsable = false;
  expect(await outcome(jwtOf(claimsOf(ID)))).toBe('Unavailable');
});

test('a revocation that comes while the client is asked for counts', async () => {
  env.cache(issuedToken(ID));
  env.fresh.clients = false;
  const client = clientWith(undefined);
  env.store('clients', client);
  const read = env.reads.clients.read;
  Object.assign(env.reads.clients, {
    read: (...args: Parameters<typeof read>) => {
      env.cache(issuedToken(ID, {}, { status: REVOKED, resourceVersion: '2' }));
      return read(...args);
    },
  });
  expect(await result(jwtOf(claimsOf(ID)))).toBe('Blacklisted');
});
