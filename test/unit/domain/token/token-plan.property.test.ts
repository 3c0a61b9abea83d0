import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { TokenStatus } from '../../../../operator/api/token.ts';
import { clientMaximum } from '../../../../operator/domain/client/client-rules.ts';
import { Crash, FakeToken, makeClient, makeToken } from './fake-token.ts';

type Step = (fake: FakeToken) => void;
const named = (name: string, step: Step): Step => Object.assign(step, { toString: () => name });
const constant = (name: string, step: Step) => fc.constant(named(name, step));

const rotate: Step = (fake) => {
  const next = `key-${fake.phases.size + 1}`;
  if (fake.activeKid) fake.phases.set(fake.activeKid, 'Retired');
  fake.phases.set(next, 'Active');
  fake.activeKid = next;
};
const compromise: Step = (fake) => {
  if (!fake.activeKid) return;
  const kid = fake.activeKid;
  rotate(fake);
  fake.phases.set(kid, 'Compromised');
};

const clientStep = fc
  .record({
    owner: fc.constantFrom('alice', 'bob'),
    accessTokenLifetime: fc.constantFrom('0s', '30s', '10m', '1h', '24h'),
    suspended: fc.boolean(),
    allowedScopes: fc.subarray(['a', 'b']),
    insertTokenClaims: fc.constantFrom({}, { tier: 1 }, { act: 'no' }),
    uid: fc.constantFrom('client-1', 'client-1', 'client-2'),
  })
  .map(({ uid, ...spec }) =>
    named(`client ${uid} ${JSON.stringify(spec)}`, (fake) => {
      fake.client = makeClient(spec, uid);
    }),
  );
const specStep = fc
  .record(
    {
      tokenName: fc.constantFrom('x', 'y'),
      scope: fc.subarray(['a', 'b', 'c']),
      lifetime: fc.constantFrom('1m', '10m', '2h'),
      expiration: fc.constantFrom('2026-01-01T00:20:00Z', '2026-01-01T05:00:00Z'),
      renewal: fc.record(
        { policy: fc.constantFrom('Auto' as const, 'Never' as const), overlap: fc.constantFrom('0s', '5m') },
        { requiredKeys: [] },
      ),
      secret: fc.record(
        {
          name: fc.constantFrom('one', 'two'),
          key: fc.constantFrom('token', 'jwt'),
          annotations: fc.constantFrom({ asked: 'a' }, { asked: 'a'.repeat(4096) }),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  .map((spec) =>
    named(`spec ${JSON.stringify(spec)}`, (fake) => {
      if (spec.expiration !== undefined && spec.lifetime !== undefined) return;
      fake.edit(spec);
    }),
  );
const timeStep = fc
  .constantFrom(1_000, 60_000, 1_800_000, 7_200_000, -30_000, -3_600_000)
  .map((ms) => named(`time ${ms}`, (fake) => (fake.now += ms)));
const benign = fc.oneof(
  clientStep,
  specStep,
  timeStep,
  constant('client gone', (fake) => (fake.client = undefined)),
  constant('rotate', rotate),
  constant('key lost', (fake) => (fake.activeKid = undefined)),
  fc.nat(5).map((n) => named(`renew ${n}`, (fake) => fake.annotate({ 'm2moauth.dev/renew': String(n) }))),
);
const hostile = fc.oneof(
  constant('compromise', compromise),
  constant('Secrets gone', (fake) => fake.secrets.clear()),
  constant('unmanaged Secret', (fake) => fake.putUnmanaged('one')),
  constant('labels gone', (fake) => {
    for (const secret of fake.secrets.values()) secret.labels = {};
  }),
  constant('annotations of others', (fake) => {
    for (const secret of fake.secrets.values())
      Object.assign(secret.annotations, { theirs: 'x'.repeat(1000), asked: 'other' });
  }),
  constant('content overwritten', (fake) => {
    for (const secret of fake.secrets.values()) if (secret.owned) secret.data = { token: { own: false } };
  }),
  constant('write refused', (fake) => {
    fake.isOverQuota = !fake.isOverQuota;
  }),
);
const revoke = constant('revoke', (fake) => fake.edit({ revoked: true }));
const history = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: benign },
    { weight: 4, arbitrary: hostile },
    { weight: 1, arbitrary: revoke },
  ),
  {
    maxLength: 12,
  },
);

const outcome = ({ version: _v, conditions, ...status }: TokenStatus) => ({
  ...status,
  conditions: conditions?.map(({ lastTransitionTime: _t, ...rest }) => rest),
});

/** Passes until nothing is written, at most a few. */
const settle = async (fake: FakeToken): Promise<void> => {
  for (let passes = 0; passes < 4; passes += 1) {
    const before = fake.writes.length;
    await fake.reconcile();
    if (fake.writes.length === before) return;
  }
  throw new Error(`does not settle: ${fake.writes.slice(-12).join(', ')}`);
};

const crashAt = async (fake: FakeToken, budget: number): Promise<void> => {
  fake.budget = budget;
  try {
    await settle(fake);
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
  fake.budget = Number.POSITIVE_INFINITY;
};

/** The claims of each jti, each distinct set once. */
const claimSets = (fake: FakeToken): Map<string, Set<string>> => {
  const sets = new Map<string, Set<string>>();
  for (const { claims } of fake.issued) {
    const id = String(claims.jti);
    sets.set(id, (sets.get(id) ?? new Set()).add(JSON.stringify(claims)));
  }
  return sets;
};

/** A Token that is Ready has the annotations that it asks for on its Secret, whole. */
const expectAnnotations = ({ token, status, secrets }: FakeToken): void => {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  const secret = secrets.get(status.secretRef?.name ?? '');
  const { asked } = token?.spec.secret?.annotations ?? {};
  if (ready?.status !== 'True' || !secret?.owned || asked === undefined) return;
  expect(secret.annotations.asked).toBe(asked);
};

describe('whatever happens to a Token, its client and its keys', () => {
  test('passes settle, issuance and version never fall, blacklisted stays, limits hold', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const fake = new FakeToken(makeToken());
        for (const step of steps) {
          const { issuance = 0, version = 0, blacklisted } = fake.status;
          const known = fake.issued.length;
          step(fake);
          await settle(fake);
          expect(fake.status.issuance ?? 0).toBeGreaterThanOrEqual(issuance);
          expect(fake.status.version ?? 0).toBeGreaterThanOrEqual(version);
          if (blacklisted) {
            expect(fake.status.blacklisted).toEqual(blacklisted);
            expect(fake.issued.length).toBe(known);
          }
          expectAnnotations(fake);
          const maximum = fake.client && clientMaximum(fake.client);
          const ids = new Set(fake.issued.slice(0, known).map(({ claims }) => claims.jti));
          for (const { claims } of fake.issued.slice(known)) {
            if (maximum === undefined || ids.has(claims.jti)) continue;
            expect(claims.exp).toBeLessThanOrEqual(Math.floor(fake.now / 1000) + maximum);
          }
        }
        expect([...claimSets(fake).values()].filter((sets) => sets.size > 1)).toEqual([]);
      }),
      { numRuns: 600 },
    );
  });

  test('no earlier JWT outlives a change of claims or a limit that fell by more than ten minutes', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const fake = new FakeToken(makeToken());
        for (const step of steps) {
          const known = fake.causes.length;
          step(fake);
          await settle(fake);
          const causes = fake.causes.slice(known);
          if (!causes.includes('ClaimsChanged') && !causes.includes('BeyondLimit')) continue;
          for (const { expiration } of fake.status.previous ?? []) {
            expect(Date.parse(expiration)).toBeLessThanOrEqual(fake.now + 600_000);
          }
        }
      }),
      { numRuns: 600 },
    );
  });

  test('a crash after any write leads to where no crash would have led', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(3), async (steps, budget) => {
        const fake = new FakeToken(makeToken());
        for (const step of steps) {
          step(fake);
          const crashed = fake.fork();
          await settle(fake);
          await crashAt(crashed, budget);
          await settle(crashed);
          expect(outcome(crashed.status)).toEqual(outcome(fake.status));
          expect([...crashed.secrets.keys()]).toEqual([...fake.secrets.keys()]);
        }
      }),
      { numRuns: 600 },
    );
  });

  test('a crash, a change and another pass never make two JWTs of one number that differ', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(benign, fc.nat(4)), { maxLength: 12 }), async (steps) => {
        const fake = new FakeToken(makeToken());
        for (const [step, budget] of steps) {
          step(fake);
          await crashAt(fake, budget);
        }
        await settle(fake);
        expect([...claimSets(fake).values()].filter((sets) => sets.size > 1)).toEqual([]);
      }),
      { numRuns: 600 },
    );
  });
});
