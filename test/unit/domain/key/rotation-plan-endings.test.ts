import { beforeEach, describe, expect, test } from '@jest/globals';
import { readCompromisedKids, readRetiredKeys } from '../../../../operator/domain/key/key-secrets.ts';
import { HOUR, MINUTE, SECOND } from '../../../support/durations.ts';
import { SigningKeyWorld } from './signing-key-world.ts';

let world: SigningKeyWorld;
beforeEach(() => {
  world = new SigningKeyWorld();
});

const phases = (): string[] => world.keys.map(({ kid, phase }) => `${kid} ${phase}`);

describe('a retired key', () => {
  beforeEach(() => {
    world.reconcile();
  });
  const exp = (ms: number): number => Math.floor((world.now + ms) / SECOND);

  test.each<[string, number | 'never' | undefined, number]>([
    ['no token', undefined, 10 * MINUTE],
    ['a token that expires soon', 60, 10 * MINUTE],
    ['a token that expires late', 5 * 3600, 5 * HOUR],
  ])('with %s goes when the grace is over and the token is', (_, lifetime, after) => {
    if (typeof lifetime === 'number') world.tokens = [{ kid: 'k1', exp: exp(lifetime * SECOND) }];
    world.rotate('now');
    world.reconcile();
    world.advance(after - SECOND);
    expect(phases()).toContain('k1 Retired');
    world.advance(SECOND);
    expect(phases()).toEqual(['k2 Active', 'k3 Published']);
  });

  test('with a token that never expires is asked after every ten minutes', () => {
    world.tokens = [{ kid: 'k1', exp: 'never' }];
    world.rotate('now');
    expect(world.reconcile()).toBe(world.now + 10 * MINUTE);
    world.advance(HOUR);
    expect(phases()).toContain('k1 Retired');
    world.tokens = [];
    world.advance(10 * MINUTE);
    expect(phases()).not.toContain('k1 Retired');
  });

  test('remembers the last expiration that was seen', () => {
    world.tokens = [{ kid: 'k1', exp: exp(HOUR) }];
    world.rotate('now');
    world.reconcile();
    const lastExpiration = () => world.keys.find(({ kid }) => kid === 'k1')?.lastExpiration;
    expect(lastExpiration()).toBe('2026-01-01T01:00:00Z');
    world.tokens.push({ kid: 'k1', exp: exp(2 * HOUR) });
    world.reconcile();
    expect(lastExpiration()).toBe('2026-01-01T02:00:00Z');
    world.tokens.length = 0;
    world.reconcile();
    expect(lastExpiration()).toBe('2026-01-01T02:00:00Z');
  });

  test('gives up its private half with the status that says so, not before', () => {
    world.rotate('now');
    world.budget = 2;
    expect(() => world.reconcile()).toThrow();
    expect([phases(), world.secretOf('k1') !== undefined]).toEqual([
      ['k1 Retired', 'k2 Active', 'k3 Published'],
      true,
    ]);
    world.now += HOUR;
    world.budget = 1;
    expect(() => world.reconcile()).toThrow();
    expect(phases()).toContain('k1 Retired');
    world.budget = Number.POSITIVE_INFINITY;
    world.now -= HOUR;
    world.reconcile();
    expect(world.secretOf('k1')).toBeUndefined();
    expect(world.keys.find(({ kid }) => kid === 'k1')?.secretRef).toBeUndefined();
  });
});

describe('from the Secrets alone', () => {
  test('phases, times and retired keys are rebuilt', () => {
    world.reconcile();
    world.rotate('now');
    world.advance(5 * MINUTE);
    const before = world.keys;
    expect(phases()).toEqual(['k1 Retired', 'k2 Active', 'k3 Published']);
    world.status = undefined;
    world.reconcile();
    expect(world.keys).toEqual(before);
    expect(world.active()?.kid).toBe('k2');
  });

  test.each([
    ['at once', 0],
    ['with a long life behind it', 200 * 24 * HOUR],
  ])('a SigningKey that is made again %s does not bring a compromised key back', (_, ms) => {
    world.reconcile();
    const backup = { ...world.secretOf('k1') };
    world.compromise('k1');
    world.reconcile();
    world.advance(ms);
    world.recreate();
    world.reconcile();
    expect(world.keys.map(({ kid }) => kid)).not.toContain('k1');
    if (backup.name) world.secrets.set(backup.name, backup as never);
    world.status = {
      ...world.status,
      keys: [
        ...world.keys,
        {
          ...SigningKeyWorld.publicKey('k1'),
          phase: 'Retired',
          publishedAt: '2026-01-01T00:00:00Z',
          publicJWK: {},
        },
      ],
    };
    world.reconcile();
    expect(world.keys.map(({ kid }) => kid)).not.toContain('k1');
    expect(world.secretOf('k1')).toBeUndefined();
  });

  test('the key that was activated last signs, where a backup brings an earlier one back', () => {
    world.reconcile();
    const backup = { ...world.secretOf('k1') };
    world.now += HOUR;
    world.rotate('now');
    world.reconcile();
    world.now += HOUR;
    if (backup.name) world.secrets.set(backup.name, backup as never);
    world.status = undefined;
    world.reconcile();
    expect(phases()).toEqual(['k1 Retired', 'k2 Active', 'k3 Published']);
    expect(world.secretOf('k1')).toBeUndefined();
  });
});

describe('a brought key', () => {
  const bring = (kid: string, name = kid): void => {
    const key = SigningKeyWorld.publicKey(kid);
    world.provided = { key, secretRef: { name, key: 'tls.key' } };
  };

  test('signs at once where no other does, and no standby can be made', () => {
    bring('mine');
    world.reconcile();
    expect(phases()).toEqual(['mine Active']);
    expect(world.active()?.secretRef).toEqual({ name: 'mine', key: 'tls.key' });
    expect(world.plan().generate).toEqual([]);
  });

  test('is refused where it is invalid, retired already, or known for another algorithm', () => {
    bring('mine');
    world.reconcile();
    world.provided = {
      key: SigningKeyWorld.publicKey('mine', 'ES384'),
      secretRef: { name: 'mine', key: 'tls.key' },
    };
    world.reconcile();
    expect(world.ready()).toMatchObject({
      reason: 'PrivateKeyInvalid',
      message: expect.stringContaining('ES256'),
    });
    bring('other');
    world.reconcile();
    expect(phases()).toEqual(['mine Retired', 'other Active']);
    bring('mine');
    world.reconcile();
    expect(world.ready()).toMatchObject({
      reason: 'PrivateKeyInvalid',
      message: expect.stringContaining('retired'),
    });
    world.provided = { problem: 'Secret "x" is missing' };
    world.reconcile();
    expect(world.ready()).toMatchObject({
      reason: 'PrivateKeyInvalid',
      message: expect.stringContaining('"x"'),
    });
  });

  test('that is compromised is KeyCompromised; a wish to rotate it is not kept', () => {
    bring('mine');
    world.reconcile();
    world.rotate('now');
    world.reconcile();
    expect([phases(), world.status?.lastHandledRotate]).toEqual([['mine Active'], 'now']);
    world.compromise('mine');
    world.reconcile();
    expect(phases()).toEqual(['mine Retired']);
    expect(world.ready()).toMatchObject({ status: 'False', reason: 'KeyCompromised' });
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
