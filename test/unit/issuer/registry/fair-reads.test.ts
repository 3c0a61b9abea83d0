import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { cachedIssuedTokenOf } from '../../../../operator/domain/record/issued-token.ts';
import type { Bearer } from '../../../../operator/issuer/use-cases.ts';
import { settle } from '../../../support/fake-clock.ts';
import { clientWith, patient } from '../clients.ts';
import { claimsOf, FakeRegistry, issuedToken, jwtOf } from './fake-registry.ts';

const idOf = (at: number): string => `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`;
const idsFrom = (first: number): string[] => Array.from({ length: 64 }, (_, at) => idOf(first + at));

const ALICE: Bearer = { owner: 'alice', onlyID: undefined, client: 'team/app' };
const BOB: Bearer = { owner: 'bob', onlyID: undefined, client: 'team/other' };
const FRESH = idOf(999_999);
const HERE = '192.0.2.1';
const THERE = '198.51.100.1';

let env: FakeRegistry;
let release: () => void;
/** Aborts when a caller leaves. */
let gone: AbortController;
beforeEach(() => {
  env = new FakeRegistry();
  const { promise, resolve } = Promise.withResolvers<void>();
  env.hold = promise;
  release = () => {
    env.hold = undefined;
    resolve();
  };
  // What another replica has just issued: no cache of this one has it.
  env.store('issued', cachedIssuedTokenOf(issuedToken(FRESH)));
  const other = clientWith(undefined, { clientID: 'other', owner: 'bob' });
  env.clients.putIfNewer({ ...other, metadata: { ...other.metadata, name: 'other', uid: 'uid-of-other' } });
});

const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'answered',
    ({ code }: { code: string }) => code,
  );

/** So many filters of 64 ids that no cache knows. */
const floodOfFilters = (count: number, bearer = ALICE, address = THERE): Promise<string>[] =>
  Array.from({ length: count }, (_, at) =>
    outcomeOf(env.lookups.find(bearer, idsFrom(at * 64), { address, signal: patient })),
  );

/** So many JWTs of the client `app` whose records are gone. */
const floodOfJwts = (count: number): Promise<string>[] =>
  Array.from({ length: count }, (_, at) => outcomeOf(env.validateJwt(jwtOf(claimsOf(idOf(at))), THERE)));

/** The place of a read among those that have reached the API server. */
const turnOf = (id: string): number => env.asked.indexOf(`issued team/${id}`);

describe('while one client floods filters with unknown ids', () => {
  test('a token that is new to this replica is validated at once, also for the same client at the same address', async () => {
    const flood = floodOfFilters(100);
    await settle();
    const asked = env.asked.length;
    const validation = env.validateJwt(jwtOf(claimsOf(FRESH)), THERE);
    await settle();
    expect(turnOf(FRESH)).toBe(asked);
    release();
    expect(await validation).toMatchObject({ kind: 'valid' });
    expect(await Promise.all(flood)).toContain('Exhausted');
  });

  test('the filter of another client is read at once', async () => {
    const flood = floodOfFilters(100);
    await settle();
    const asked = env.asked.length;
    const found = env.lookups.find(BOB, [idOf(500_000)], { address: HERE, signal: patient });
    await settle();
    expect(turnOf(idOf(500_000))).toBe(asked);
    release();
    expect(await found).toEqual([]);
    await Promise.all(flood);
  });

  test('what it may keep waiting, and have read at a time, is bounded', async () => {
    const flood = floodOfFilters(100);
    await settle();
    expect(env.asked).toHaveLength(8);
    release();
    const outcomes = await Promise.all(flood);
    // Four filters with two reads each at a time, and those that may wait.
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(4 + 64);
    expect(outcomes.filter((outcome) => outcome === 'Exhausted')).toHaveLength(100 - 4 - 64);
    expect(env.metrics.calls).toContainEqual(['requestDropped', 'filters']);
  });

  test('what is rejected costs no read', async () => {
    const flood = floodOfFilters(100);
    await settle();
    release();
    const outcomes = await Promise.all(flood);
    await settle();
    const answered = outcomes.filter((outcome) => outcome === 'answered').length;
    expect(env.asked).toHaveLength(answered * 64);
  });
});

describe('a filter of 1,000 ids that nobody has', () => {
  const ids = Array.from({ length: 1000 }, (_, at) => idOf(at));

  test('is looked up once for each id, and again only for those that were read', async () => {
    release();
    const find = jest.spyOn(env.records, 'find');
    expect(await env.lookups.find(ALICE, ids, { address: HERE, signal: patient })).toEqual([]);
    expect(find.mock.calls.length).toBeLessThanOrEqual(1000 + 64);
  });

  test('looks for no namespaces beyond those that are read', async () => {
    release();
    const values = jest.spyOn(env.clients, 'values');
    await env.lookups.find(ALICE, ids, { address: HERE, signal: patient });
    expect(values).not.toHaveBeenCalled();
  });

  test.each<[string, () => void, string]>([
    [
      'a read fails',
      () => {
        env.isReachable = false;
      },
      'Unavailable',
    ],
    ['its caller leaves', () => gone.abort(), 'Unavailable'],
  ])('is read no further once %s', async (_name, happen, outcome) => {
    gone = new AbortController();
    const found = outcomeOf(env.lookups.find(ALICE, ids, { address: HERE, signal: gone.signal }));
    await settle();
    expect(env.asked).toHaveLength(2);
    happen();
    release();
    expect(await found).toBe(outcome);
    await settle();
    expect(env.asked).toHaveLength(2);
  });

  test('waits for its turn and its reads for 5 s, and no longer', async () => {
    const outcomes: string[] = [];
    for (const flooded of floodOfFilters(10)) void flooded.then((outcome) => outcomes.push(outcome));
    await env.clock.advance(4_999);
    expect(outcomes).toEqual([]);
    await env.clock.advance(1);
    expect(outcomes).toEqual(Array(10).fill('Unavailable'));
  });
});

describe('while one client floods validation with tokens that no cache knows', () => {
  test('the token of another client is read at once', async () => {
    const flood = floodOfJwts(2000);
    await settle();
    expect(env.asked).toHaveLength(16);
    const validation = env.validateJwt(jwtOf(claimsOf(FRESH, { client_id: 'other' })), THERE);
    await settle();
    expect(turnOf(FRESH)).toBe(16);
    release();
    await validation;
    const outcomes = await Promise.all(flood);
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(16 + 1024);
    expect(outcomes.filter((outcome) => outcome === 'Exhausted')).toHaveLength(2000 - 16 - 1024);
  });

  test('its own token from another address is the next one', async () => {
    const flood = floodOfJwts(500);
    await settle();
    const validation = env.validateJwt(jwtOf(claimsOf(FRESH)), HERE);
    await settle();
    expect(env.asked).toHaveLength(16);
    release();
    await Promise.all(flood);
    expect(await validation).toMatchObject({ kind: 'valid' });
    expect(turnOf(FRESH)).toBeLessThan(16 + 2);
  });
});

test('a read that waited almost 5 s for its turn has 5 s more: it is not ended as soon as it has begun', async () => {
  const flood = floodOfJwts(17);
  await env.clock.advance(4_900);
  expect(env.asked).toHaveLength(16);
  const { promise, resolve } = Promise.withResolvers<void>();
  const releaseFirst = release;
  env.hold = promise;
  release = resolve;
  releaseFirst();
  env.hold = promise;
  await settle();
  expect(env.asked).toHaveLength(17);
  await env.clock.advance(4_999);
  expect(env.signals.at(-1)?.aborted).toBe(false);
  await env.clock.advance(1);
  expect(env.signals.at(-1)?.aborted).toBe(true);
  release();
  await Promise.all(flood);
});

test('while one address floods with JWTs whose signatures have to be checked, one from another address is the next', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  env.holdChecks = promise;
  release();
  const flood = floodOfJwts(3000);
  await settle();
  expect(env.verified).toHaveLength(16);
  const own = jwtOf(claimsOf(FRESH));
  const validation = env.validateJwt(own, HERE);
  await settle();
  env.holdChecks = undefined;
  resolve();
  expect(await validation).toMatchObject({ kind: 'valid' });
  expect(env.verified.indexOf(own)).toBeLessThan(16 + 2);
  const outcomes = await Promise.all(flood);
  expect(env.metrics.calls).toContainEqual(['requestDropped', 'signatures']);
  expect(outcomes).toContain('Exhausted');
});

test('requests of one client share a read, those of two clients do not', async () => {
  const find = (bearer: Bearer, address: string) =>
    env.lookups.find(bearer, [FRESH], { address, signal: patient });
  const found = [find(ALICE, HERE), find(ALICE, THERE), find(BOB, HERE)];
  await settle();
  expect(env.asked).toEqual([`issued team/${FRESH}`, `issued team/${FRESH}`]);
  release();
  expect((await Promise.all(found)).map((records) => records.length)).toEqual([1, 1, 0]);
});
