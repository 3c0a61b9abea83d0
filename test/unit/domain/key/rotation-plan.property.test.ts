import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KeyEntry } from '../../../../operator/api/signing-key.ts';
import { durationMs } from '../../../../operator/api/time.ts';
import { buildJwks } from '../../../../operator/domain/key/jwks.ts';
import { RETIRED_FOR_AT_LEAST_SECONDS } from '../../../../operator/domain/key/key-phases.ts';
import { DAY, HOUR, SECOND } from '../../../support/durations.ts';
import { Crash, FakeSigningKey } from './fake-signing-key.ts';

const RANK = { Published: 0, Active: 1, Retired: 2 } as const;

/** What holds at every moment, whatever happened before. */
const check = (fake: FakeSigningKey): void => {
  const rankOf = new Map<string, number>();
  for (const { keys } of fake.history) {
    expect(keys.filter(({ phase }) => phase === 'Active').length).toBeLessThanOrEqual(1);
    const present = new Set(keys.map(({ kid }) => kid));
    for (const { kid, phase, publishedAt, activatedAt, retiredAt } of keys) {
      expect(RANK[phase]).toBeGreaterThanOrEqual(rankOf.get(kid) ?? 0);
      rankOf.set(kid, RANK[phase]);
      if (activatedAt) expect(activatedAt >= publishedAt).toBe(true);
      expect(retiredAt !== undefined).toBe(phase === 'Retired');
    }
    for (const kid of rankOf.keys()) if (!present.has(kid)) expect(rankOf.get(kid)).toBe(RANK.Retired);
  }
  for (const { at, publishedSince, because } of fake.activations) {
    if (publishedSince === undefined)
      throw new Error(`a key signs (${because}) that no earlier status listed`);
    const { publishBefore = '24h' } = fake.spec.rotation ?? {};
    if (because === 'schedule')
      expect(at - publishedSince).toBeGreaterThanOrEqual(Math.max(300 * SECOND, durationMs(publishBefore)));
  }
  const shown = buildJwks([fake.signingKey]).keys.map(({ kid }) => kid);
  const compromised = fake.everCompromised;
  for (const kid of compromised) expect(shown).not.toContain(kid);
  for (const { kid, exp } of fake.tokens) {
    if (exp !== 'never' && exp * 1000 <= fake.now) continue;
    if (!compromised.has(kid)) expect(shown).toContain(kid);
  }
};

const checkSettled = (fake: FakeSigningKey): void => {
  check(fake);
  const active = fake.active();
  expect(
    active?.algorithm === fake.spec.algorithm || fake.standbys()[0]?.algorithm === fake.spec.algorithm,
  ).toBe(true);
  expect(fake.standbys()).toHaveLength(1);
  expect([...fake.everCompromised]).not.toContain(active?.kid);
  expect(fake.ready()).toMatchObject({ status: 'True', reason: 'Active' });
  expect([...fake.secrets.keys()].sort()).toEqual(
    [active, ...fake.standbys()].map((entry) => entry?.secretRef?.name).sort(),
  );
  for (const entry of [active, ...fake.standbys()]) {
    expect(fake.secretOf(entry?.kid ?? '')?.pem).toBe(entry?.kid);
  }
  expect(fake.plan()).toMatchObject({ generate: [], status: undefined, change: [], remove: [] });
};

/** Past its grace: a key that the schedule has retired a moment ago stays for it. */
const isRetiredForLong = ({ retiredAt }: KeyEntry, now: number): boolean =>
  retiredAt !== undefined && now - Date.parse(retiredAt) >= RETIRED_FOR_AT_LEAST_SECONDS * SECOND;

type Step = (fake: FakeSigningKey) => void;
const named = (name: string, step: Step): Step => Object.assign(step, { toString: () => name });
const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(1, list.length)];

const passing = (ms: number): Step => named(`context ${ms} ms`, (fake) => fake.advance(ms));

const steps: fc.Arbitrary<Step>[] = [
  fc.integer({ min: 0, max: 200 * DAY }).map(passing),
  fc.integer({ min: 0, max: 2 * HOUR }).map((ms) =>
    named(`${ms} ms, unseen`, (fake) => {
      fake.now += ms;
    }),
  ),
  fc.nat(1000).map((n) => named(`rotate ${n}`, (fake) => fake.rotate(`r${n}`))),
  fc.nat().map((n) =>
    named(`compromise ${n}`, (fake) => {
      const kid = pick(fake.keys, n)?.kid;
      if (kid) fake.compromise(kid);
    }),
  ),
  fc.nat().map((n) =>
    named(`lose a Secret ${n}`, (fake) => {
      // Both at once leave nothing to keep what is retired in, but the status.
      const name = pick([...fake.secrets.keys()], n);
      if (name) fake.secrets.delete(name);
    }),
  ),
  fc.nat().map((n) =>
    named(`tamper with a Secret ${n}`, (fake) => {
      const secret = pick([...fake.secrets.values()], n);
      if (secret) Object.assign(secret, n % 2 ? { pem: undefined } : { pem: 'not ours' });
    }),
  ),
  fc.nat().map((n) =>
    named(`strip a Secret ${n}`, (fake) => {
      const secret = pick([...fake.secrets.values()], n);
      if (secret) secret.labels = {};
    }),
  ),
  fc.constantFrom('ES256', 'ES384', 'RS256').map((algorithm) =>
    named(`algorithm ${algorithm}`, (fake) => {
      fake.spec = { ...fake.spec, algorithm };
    }),
  ),
  fc.option(fc.integer({ min: 1, max: 400 * 86_400 })).map((lifetime) =>
    named(`sign for ${lifetime} s`, (fake) => {
      const kid = fake.active()?.kid;
      if (!kid || fake.everCompromised.has(kid) || fake.secretOf(kid)?.pem !== kid) return;
      fake.tokens.push({ kid, exp: lifetime ? Math.floor(fake.now / SECOND) + lifetime : 'never' });
    }),
  ),
  fc.constant(
    named('tokens without expiration are issued anew', (fake) => {
      fake.tokens = fake.tokens.filter(({ exp }) => exp !== 'never');
    }),
  ),
  fc.nat(8).map((writes) =>
    named(`die after ${writes} writes`, (fake) => {
      fake.budget = writes;
      try {
        fake.reconcile();
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      }
      fake.budget = Number.POSITIVE_INFINITY;
    }),
  ),
  fc.constant(
    named('lose the status', (fake) => {
      fake.reconcile();
      fake.history = [];
      fake.status = undefined;
      fake.reconcile();
    }),
  ),
  fc.constant(
    named('delete the SigningKey and make it again', (fake) => {
      fake.reconcile();
      fake.recreate();
      fake.reconcile();
    }),
  ),
];

test('whatever happens, at most one key signs, none before it is published, and what was valid stays verifiable', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(...steps), { maxLength: 30 }), (run) => {
      const fake = new FakeSigningKey();
      for (const step of run) {
        step(fake);
        check(fake);
      }
      fake.reconcile();
      checkSettled(fake);
      fake.tokens = [];
      fake.advance(3 * DAY);
      checkSettled(fake);
      expect(fake.keys.filter((key) => isRetiredForLong(key, fake.now))).toEqual([]);
    }),
    {
      numRuns: 150,
      // Retired by schedule within the last seconds: its grace is not over.
      examples: [[[passing(0), passing(87 * DAY + SECOND)]]],
    },
  );
});
