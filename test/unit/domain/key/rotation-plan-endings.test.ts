import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CompromisedKeys } from '../../../../operator/domain/key/compromised-keys.ts';
import { readCompromisedKids, readRetiredKeys } from '../../../../operator/domain/key/key-secrets.ts';
import type { ProvidedKey } from '../../../../operator/domain/key/signing-key-observation.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../../support/durations.ts';
import { FakeSigningKey } from './fake-signing-key.ts';

let fake: FakeSigningKey;
beforeEach(() => {
  fake = new FakeSigningKey();
});

const phases = (): string[] => fake.keys.map(({ kid, phase }) => `${kid} ${phase}`);

describe('a retired key', () => {
  beforeEach(() => {
    fake.reconcile();
  });
  const exp = (ms: number): number => Math.floor((fake.now + ms) / SECOND);

  test.each<[string, number | 'never' | undefined, number]>([
    ['no token', undefined, 10 * MINUTE],
    ['a token that expires in a minute', 60, 10 * MINUTE],
    ['a token that expires late', 5 * 3600, 5 * HOUR],
  ])('with %s goes when the grace is over and the token is', (_, lifetime, after) => {
    if (typeof lifetime === 'number') fake.tokens = [{ kid: 'k1', exp: exp(lifetime * SECOND) }];
    fake.rotate('now');
    fake.reconcile();
    fake.advance(after - SECOND);
    expect(phases()).toContain('k1 Retired');
    fake.advance(SECOND);
    expect(phases()).toEqual(['k2 Active', 'k3 Published']);
  });

  test('with a token that never expires is asked after every ten minutes', () => {
    fake.tokens = [{ kid: 'k1', exp: 'never' }];
    fake.rotate('now');
    expect(fake.reconcile()).toBe(fake.now + 10 * MINUTE);
    fake.advance(HOUR);
    expect(phases()).toContain('k1 Retired');
    fake.tokens = [];
    fake.advance(10 * MINUTE);
    expect(phases()).not.toContain('k1 Retired');
  });

  test('remembers the last expiration that was seen', () => {
    fake.tokens = [{ kid: 'k1', exp: exp(HOUR) }];
    fake.rotate('now');
    fake.reconcile();
    const lastExpiration = () => fake.keys.find(({ kid }) => kid === 'k1')?.lastExpiration;
    expect(lastExpiration()).toBe('2026-01-01T01:00:00Z');
    fake.tokens.push({ kid: 'k1', exp: exp(2 * HOUR) });
    fake.reconcile();
    expect(lastExpiration()).toBe('2026-01-01T02:00:00Z');
    fake.tokens.length = 0;
    fake.reconcile();
    expect(lastExpiration()).toBe('2026-01-01T02:00:00Z');
  });

  test('loses its private key with the status that says so, not before', () => {
    fake.rotate('now');
    fake.budget = 2;
    expect(() => fake.reconcile()).toThrow();
    expect([phases(), fake.secretOf('k1') !== undefined]).toEqual([
      ['k1 Retired', 'k2 Active', 'k3 Published'],
      true,
    ]);
    fake.now += HOUR;
    fake.budget = 1;
    expect(() => fake.reconcile()).toThrow();
    expect(phases()).toContain('k1 Retired');
    fake.budget = Number.POSITIVE_INFINITY;
    fake.now -= HOUR;
    fake.reconcile();
    expect(fake.secretOf('k1')).toBeUndefined();
    expect(fake.keys.find(({ kid }) => kid === 'k1')?.secretRef).toBeUndefined();
  });
});

describe('from the Secrets alone', () => {
  test('phases, times and retired keys are rebuilt', () => {
    fake.reconcile();
    fake.rotate('now');
    fake.advance(5 * MINUTE);
    const before = fake.keys;
    expect(phases()).toEqual(['k1 Retired', 'k2 Active', 'k3 Published']);
    fake.status = undefined;
    fake.reconcile();
    expect(fake.keys).toEqual(before);
    expect(fake.active()?.kid).toBe('k2');
  });

  test.each<[string, CompromisedKeys]>([
    ['is remembered', { kids: new Set(['k1']), hasOverflowed: false }],
    ['may be one of too many', { kids: new Set(), hasOverflowed: true }],
  ])('the Secret of a compromised key that %s does not bring it back from a backup', (_name, remembered) => {
    fake.reconcile();
    fake.reconcile();
    expect(fake.active()?.kid).toBe('k1');
    fake.status = undefined;
    fake.remembered = remembered;
    fake.reconcile();
    expect(fake.keys.map(({ kid }) => kid)).not.toContain('k1');
  });

  test.each([
    ['at once', 0],
    ['with a long life behind it', 200 * 24 * HOUR],
  ])('a SigningKey that is made again %s does not bring a compromised key back', (_, ms) => {
    fake.reconcile();
    const backup = { ...fake.secretOf('k1') };
    fake.compromise('k1');
    fake.reconcile();
    fake.advance(ms);
    fake.recreate();
    fake.reconcile();
    expect(fake.keys.map(({ kid }) => kid)).not.toContain('k1');
    if (backup.name) fake.secrets.set(backup.name, backup as never);
    fake.status = {
      ...fake.status,
      keys: [
        ...fake.keys,
        {
          ...FakeSigningKey.publicKey('k1'),
          phase: 'Retired',
          publishedAt: '2026-01-01T00:00:00Z',
          publicJWK: {},
        },
      ],
    };
    fake.reconcile();
    expect(fake.keys.map(({ kid }) => kid)).not.toContain('k1');
    expect(fake.secretOf('k1')).toBeUndefined();
  });

  test('the key that was activated last signs, where a backup brings an earlier one back', () => {
    fake.reconcile();
    const backup = { ...fake.secretOf('k1') };
    fake.now += HOUR;
    fake.rotate('now');
    fake.reconcile();
    fake.now += HOUR;
    if (backup.name) fake.secrets.set(backup.name, backup as never);
    fake.status = undefined;
    fake.reconcile();
    expect(phases()).toEqual(['k1 Retired', 'k2 Active', 'k3 Published']);
    expect(fake.secretOf('k1')).toBeUndefined();
  });
});

describe('a provided key', () => {
  const bring = (kid: string, name = kid): void => {
    const key = FakeSigningKey.publicKey(kid);
    fake.provided = { key, secretRef: { name, key: 'tls.key' } };
  };

  test('signs at once where no other key does, and no standby can be made', () => {
    bring('mine');
    fake.reconcile();
    expect(phases()).toEqual(['mine Active']);
    expect(fake.active()?.secretRef).toEqual({ name: 'mine', key: 'tls.key' });
    expect(fake.plan().generate).toEqual([]);
  });

  describe('that replaces another in its Secret', () => {
    const message = () => fake.ready()?.message;
    const until = (ms: number): string => new Date(fake.now + ms).toISOString().replace('.000Z', 'Z');

    beforeEach(() => {
      bring('mine', 'secret');
      fake.reconcile();
      bring('next', 'secret');
    });

    test('is published for publishBefore before it signs, while the other is in memory', () => {
      fake.heldKids = new Set(['mine']);
      fake.reconcile();
      expect(phases()).toEqual(['mine Active', 'next Published']);
      expect(fake.ready()).toMatchObject({ status: 'True', reason: 'Active' });
      expect(message()).toContain('key mine (ES256) signs from the memory of replicas');
      expect(message()).toContain('key next (ES256) is published and signs next');
      fake.advance(DAY - SECOND);
      expect(phases()).toEqual(['mine Active', 'next Published']);
      fake.advance(SECOND);
      expect(phases()).toEqual(['mine Retired', 'next Active']);
      expect(message()).toBe('key next (ES256) signs');
    });

    test('is published for 300 s at least', () => {
      fake.heldKids = new Set(['mine']);
      fake.spec = { ...fake.spec, rotation: { interval: '1h', publishBefore: '1s' } };
      fake.advance(299 * SECOND);
      expect(fake.active()?.kid).toBe('mine');
      fake.advance(SECOND);
      expect(fake.active()?.kid).toBe('next');
    });

    test('signs at once where nobody has the other, and the condition says for how long that matters', () => {
      const end = until(300 * SECOND);
      fake.reconcile();
      expect(phases()).toEqual(['mine Retired', 'next Active']);
      expect(message()).toContain(`verifiers that cached the JWKS may reject its tokens until ${end}`);
      fake.advance(299 * SECOND);
      expect(message()).toContain(`until ${end}`);
      fake.advance(SECOND);
      expect(message()).toBe('key next (ES256) signs');
    });

    test('signs when the other is lost, and nothing is said if it was published for long enough', () => {
      fake.heldKids = new Set(['mine']);
      fake.advance(HOUR);
      fake.heldKids = new Set();
      fake.reconcile();
      expect(phases()).toEqual(['mine Retired', 'next Active']);
      expect(message()).toBe('key next (ES256) signs');
    });

    test('gives way to a third one, which is published for as long again', () => {
      fake.heldKids = new Set(['mine']);
      fake.advance(HOUR);
      bring('third', 'secret');
      fake.reconcile();
      expect(phases()).toEqual(['mine Active', 'next Retired', 'third Published']);
      fake.advance(DAY - SECOND);
      expect(fake.active()?.kid).toBe('mine');
      fake.advance(SECOND);
      expect(fake.active()?.kid).toBe('third');
    });

    test('signs at once on request', () => {
      fake.heldKids = new Set(['mine']);
      fake.reconcile();
      fake.rotate('now');
      fake.reconcile();
      expect(phases()).toEqual(['mine Retired', 'next Active']);
    });

    test.each([
      ['another Secret', { name: 'other', key: 'tls.key' }],
      ['another key of the Secret', { name: 'secret', key: 'next.key' }],
    ])(
      'signs at once in %s where the other is in memory only: a replica that starts has neither',
      (_, secretRef) => {
        fake.heldKids = new Set(['mine']);
        fake.provided = { key: FakeSigningKey.publicKey('next'), secretRef };
        const end = until(300 * SECOND);
        fake.reconcile();
        expect(phases()).toEqual(['mine Retired', 'next Active']);
        expect(message()).toContain('since the key before it had to stop signing');
        expect(message()).toContain(`may reject its tokens until ${end}`);
        expect(message()).not.toContain('memory');
      },
    );

    test.each<[string, ProvidedKey | undefined, string]>([
      ['its Secret is missing', { problem: 'Secret "secret" is missing' }, 'PrivateKeyInvalid'],
      ['the spec asks for generated ones', undefined, 'Active'],
    ])('does not sign from memory while %s', (_, provided, reason) => {
      fake.heldKids = new Set(['mine']);
      fake.provided = provided;
      fake.reconcile();
      expect(fake.ready()?.reason).toBe(reason);
      expect(message()).not.toContain('key mine');
    });

    test('signs at once if the other is compromised, whoever has it', () => {
      fake.heldKids = new Set(['mine']);
      fake.reconcile();
      fake.compromise('mine');
      fake.reconcile();
      expect(fake.active()?.kid).toBe('next');
    });
  });

  test('is rejected where it is invalid, retired already, or known for another algorithm', () => {
    bring('mine');
    fake.reconcile();
    fake.provided = {
      key: FakeSigningKey.publicKey('mine', 'ES384'),
      secretRef: { name: 'mine', key: 'tls.key' },
    };
    fake.reconcile();
    expect(fake.ready()).toMatchObject({
      reason: 'PrivateKeyInvalid',
      message: expect.stringContaining('ES256'),
    });
    bring('other');
    fake.reconcile();
    expect(phases()).toEqual(['mine Retired', 'other Active']);
    bring('mine');
    fake.reconcile();
    expect(fake.ready()).toMatchObject({
      reason: 'PrivateKeyInvalid',
      message: expect.stringContaining('retired'),
    });
    fake.provided = { problem: 'Secret "x" is missing' };
    fake.reconcile();
    expect(fake.ready()).toMatchObject({
      reason: 'PrivateKeyInvalid',
      message: expect.stringContaining('"x"'),
    });
  });

  test('that was compromised stays so when its SigningKey is created again', () => {
    bring('mine');
    fake.remembered = { kids: new Set(['mine']), hasOverflowed: false };
    fake.reconcile();
    expect(phases()).toEqual([]);
    expect(fake.ready()).toMatchObject({ status: 'False', reason: 'KeyCompromised' });
    bring('another');
    fake.reconcile();
    expect(phases()).toEqual(['another Active']);
  });

  test('that is new is rejected if compromised keys were too many to be remembered, and one in the status goes on', () => {
    bring('mine');
    fake.reconcile();
    fake.remembered = { kids: new Set(), hasOverflowed: true };
    fake.reconcile();
    expect(phases()).toEqual(['mine Active']);
    bring('another');
    fake.reconcile();
    expect(phases()).not.toContain('another Active');
    expect(fake.ready()).toMatchObject({
      reason: 'PrivateKeyInvalid',
      message: expect.stringContaining('too many to be remembered'),
    });
  });

  test('that is compromised is KeyCompromised; a wish to rotate it is not kept', () => {
    bring('mine');
    fake.reconcile();
    fake.rotate('now');
    fake.reconcile();
    expect([phases(), fake.status?.lastHandledRotate]).toEqual([['mine Active'], 'now']);
    fake.compromise('mine');
    fake.reconcile();
    expect(phases()).toEqual(['mine Retired']);
    expect(fake.ready()).toMatchObject({ status: 'False', reason: 'KeyCompromised' });
  });
});

test('what a Secret keeps of retired keys is read with care', () => {
  const entry = {
    kid: 'k',
    algorithm: 'ES256',
    phase: 'Retired',
    publishedAt: '2026-01-01T00:00:00Z',
    publicJWK: {},
  };
  expect(readRetiredKeys(JSON.stringify([entry]))).toEqual([entry]);
  for (const text of [
    undefined,
    '',
    'x',
    '{}',
    'null',
    '[null]',
    '[1]',
    JSON.stringify([{ ...entry, phase: 'Active' }]),
    JSON.stringify([{ ...entry, algorithm: 'HS256' }]),
  ]) {
    expect(readRetiredKeys(text)).toEqual([]);
  }
  expect(readCompromisedKids('["a",1,null,"b"]')).toEqual(['a', 'b']);
  expect(readCompromisedKids('x')).toEqual([]);
});
