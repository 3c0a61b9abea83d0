import { beforeEach, describe, expect, test } from '@jest/globals';
import { MAX_KEYS } from '../../../../operator/domain/key/key-phases.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../../support/durations.ts';
import { SigningKeyWorld } from './signing-key-world.ts';

let world: SigningKeyWorld;
beforeEach(() => {
  world = new SigningKeyWorld();
});

const phases = (): string[] => world.keys.map(({ kid, phase }) => `${kid} ${phase}`);

describe('generated keys', () => {
  test('begin with one that signs and one that stands by', () => {
    world.reconcile();
    expect(phases()).toEqual(['k1 Active', 'k2 Published']);
    expect(world.history.map(({ keys }) => keys.map(({ kid, phase }) => `${kid} ${phase}`))).toEqual([
      ['k1 Published', 'k2 Published'],
      ['k1 Active', 'k2 Published'],
    ]);
    expect(world.ready()).toMatchObject({ status: 'True', reason: 'Active' });
  });

  test('are planned for the next rotation, and nothing before it', () => {
    const requeueAt = world.reconcile();
    expect(requeueAt).toBe(world.now + 90 * DAY);
    world.now = Number(requeueAt) - SECOND;
    expect(world.plan()).toMatchObject({ generate: [], status: undefined, change: [], remove: [] });
  });

  test.each([
    ['the interval, where the standby is known long enough', '2160h', '24h', 90 * DAY],
    ['publishBefore, where that ends later (a key was lost)', '10m', '9m59s', 10 * MINUTE],
  ])('rotate after %s', (_, interval, publishBefore, after) => {
    world.spec = { ...world.spec, rotation: { interval, publishBefore } };
    world.reconcile();
    const start = world.now;
    world.advance(after - SECOND);
    expect(world.active()?.kid).toBe('k1');
    world.advance(SECOND);
    expect(world.active()?.kid).toBe('k2');
    expect(world.now - start).toBe(after);
  });

  test('that stand by since a moment ago wait publishBefore, though the interval is over', () => {
    world.reconcile();
    world.advance(90 * DAY - HOUR);
    world.secrets.delete(world.secretOf('k2')?.name ?? '');
    world.reconcile();
    expect(phases()).toEqual(['k1 Active', 'k2 Retired', 'k3 Published']);
    world.advance(HOUR);
    expect(world.active()?.kid).toBe('k1');
    world.advance(23 * HOUR);
    expect(world.active()?.kid).toBe('k3');
  });

  test('never sign within the max-age of the key set, whatever publishBefore says', () => {
    world.spec = { ...world.spec, rotation: { interval: '1s', publishBefore: '1s' } };
    world.reconcile();
    world.advance(299 * SECOND);
    expect(world.active()?.kid).toBe('k1');
    world.advance(SECOND);
    expect(world.active()?.kid).toBe('k2');
  });

  test.each(['k1', 'k9'])(
    'rotate with the one that was published first, even within the same second',
    (fresh) => {
      world.nameKey = (made) => (made > 2 ? fresh : `k${made + 4}`);
      world.reconcile();
      world.rotate('now');
      world.reconcile();
      expect(phases().sort()).toEqual([`${fresh} Published`, 'k5 Retired', 'k6 Active'].sort());
      expect(world.status?.lastHandledRotate).toBe('now');
      world.reconcile();
      expect(world.active()?.kid).toBe('k6');
    },
  );

  test('take a very long wish to rotate once too', () => {
    world.reconcile();
    world.rotate('x'.repeat(5000));
    world.reconcile();
    world.reconcile();
    expect(world.active()?.kid).toBe('k2');
    expect(world.status?.lastHandledRotate?.length).toBeLessThanOrEqual(1024);
  });

  test('give a compromised key up in one write, and never take it back', () => {
    world.reconcile();
    const before = world.history.length;
    world.compromise('k1');
    world.reconcile();
    expect(world.history[before]?.keys.map(({ kid, phase }) => `${kid} ${phase}`)).toEqual([
      'k1 Retired',
      'k2 Active',
      'k3 Published',
    ]);
    world.status = undefined;
    world.reconcile();
    expect(world.keys.map(({ kid }) => kid)).not.toContain('k1');
  });

  test('give a key up that another SigningKey calls compromised, and leave it given up when that is gone', () => {
    world.reconcile();
    world.others = [{ ...world.signingKey, spec: { ...world.spec, compromised: ['k1'] } }];
    world.reconcile();
    expect(phases()).toEqual(['k1 Retired', 'k2 Active', 'k3 Published']);
    world.others = [];
    world.reconcile();
    expect(phases()).toEqual(['k2 Active', 'k3 Published']);
  });

  test('are published before one signs, where none that is known can take the place of what is lost', () => {
    world.reconcile();
    const before = world.history.length;
    world.secrets.clear();
    world.reconcile();
    const written = world.history
      .slice(before)
      .map(({ keys }) => keys.map(({ kid, phase }) => `${kid} ${phase}`));
    expect(written.at(0)).toEqual(expect.arrayContaining(['k3 Published', 'k4 Published']));
    expect(phases()).toEqual(expect.arrayContaining(['k3 Active', 'k4 Published']));
    expect(world.activations.at(-1)).toMatchObject({
      kid: 'k3',
      because: 'emergency',
      publishedSince: world.now,
    });
  });

  test('that are asked to rotate while none stands by make one key, not two', () => {
    world.reconcile();
    world.secrets.delete(world.secretOf('k2')?.name ?? '');
    world.rotate('now');
    world.reconcile();
    expect(phases()).toEqual(['k1 Retired', 'k2 Retired', 'k3 Active', 'k4 Published']);
  });

  test('go on with what is there where no new one can be stored, and say so', () => {
    world.reconcile();
    world.mayGenerate = false;
    world.compromise('k1');
    world.reconcile();
    expect(phases()).toEqual(['k1 Retired', 'k2 Active']);
    expect(world.ready()).toMatchObject({ status: 'True' });
    world.compromise('k2');
    world.reconcile();
    expect(world.ready()).toMatchObject({ status: 'False', reason: 'NoActiveKey' });
    world.mayGenerate = true;
    world.reconcile();
    expect(world.ready()).toMatchObject({ status: 'True', reason: 'Active' });
  });

  test('do not rotate for a wish that would fill the status, but for an emergency they do', () => {
    world.reconcile();
    const [first] = world.keys;
    const retired = Array.from({ length: MAX_KEYS - 4 }, (_, at) => ({
      ...SigningKeyWorld.publicKey(`old${at}`),
      publicJWK: { ...first?.publicJWK },
      phase: 'Retired' as const,
      publishedAt: '2025-01-01T00:00:00Z',
      retiredAt: '2025-06-01T00:00:00Z',
    }));
    world.status = { ...world.status, keys: [...retired, ...world.keys] };
    world.tokens = retired.map(({ kid }) => ({ kid, exp: 'never' }));
    for (let turn = 0; turn < 5; turn++) {
      world.rotate(`r${turn}`);
      world.reconcile();
    }
    expect(world.keys).toHaveLength(MAX_KEYS - 1);
    const active = world.active()?.kid ?? '';
    for (let turn = 0; turn < 5; turn++) {
      world.compromise(world.active()?.kid ?? '');
      world.reconcile();
      expect(world.keys.length).toBeLessThanOrEqual(MAX_KEYS);
    }
    expect(world.active()?.kid).not.toBe(active);
    expect(world.standbys()).toHaveLength(1);
  });
});
