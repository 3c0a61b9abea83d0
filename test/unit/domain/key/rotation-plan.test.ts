import { beforeEach, describe, expect, test } from '@jest/globals';
import { MAX_KEYS } from '../../../../operator/domain/key/key-phases.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../../support/durations.ts';
import { FakeSigningKey } from './fake-signing-key.ts';

let fake: FakeSigningKey;
beforeEach(() => {
  fake = new FakeSigningKey();
});

const phases = (): string[] => fake.keys.map(({ kid, phase }) => `${kid} ${phase}`);

describe('generated keys', () => {
  test('begin with one that signs and one that stands by', () => {
    fake.reconcile();
    expect(phases()).toEqual(['k1 Active', 'k2 Published']);
    expect(fake.history.map(({ keys }) => keys.map(({ kid, phase }) => `${kid} ${phase}`))).toEqual([
      ['k1 Published', 'k2 Published'],
      ['k1 Active', 'k2 Published'],
    ]);
    expect(fake.ready()).toMatchObject({ status: 'True', reason: 'Active' });
  });

  test('are planned for the next rotation, and nothing before it', () => {
    const requeueAt = fake.reconcile();
    expect(requeueAt).toBe(fake.now + 90 * DAY);
    fake.now = Number(requeueAt) - SECOND;
    expect(fake.plan()).toMatchObject({ generate: [], status: undefined, change: [], remove: [] });
  });

  test.each([
    ['the interval, where the standby has been published long enough', '2160h', '24h', 90 * DAY],
    ['publishBefore, where that ends later (a key was lost)', '10m', '9m59s', 10 * MINUTE],
  ])('rotate after %s', (_, interval, publishBefore, after) => {
    fake.spec = { ...fake.spec, rotation: { interval, publishBefore } };
    fake.reconcile();
    const start = fake.now;
    fake.advance(after - SECOND);
    expect(fake.active()?.kid).toBe('k1');
    fake.advance(SECOND);
    expect(fake.active()?.kid).toBe('k2');
    expect(fake.now - start).toBe(after);
  });

  test('that stand by since a moment ago wait publishBefore, though the interval is over', () => {
    fake.reconcile();
    fake.advance(90 * DAY - HOUR);
    fake.secrets.delete(fake.secretOf('k2')?.name ?? '');
    fake.reconcile();
    expect(phases()).toEqual(['k1 Active', 'k2 Retired', 'k3 Published']);
    fake.advance(HOUR);
    expect(fake.active()?.kid).toBe('k1');
    fake.advance(23 * HOUR);
    expect(fake.active()?.kid).toBe('k3');
  });

  test('never sign within the max-age of the key set, whatever publishBefore says', () => {
    fake.spec = { ...fake.spec, rotation: { interval: '1s', publishBefore: '1s' } };
    fake.reconcile();
    fake.advance(299 * SECOND);
    expect(fake.active()?.kid).toBe('k1');
    fake.advance(SECOND);
    expect(fake.active()?.kid).toBe('k2');
  });

  test.each(['k1', 'k9'])(
    'rotate with the one that was published first, even within the same second',
    (fresh) => {
      fake.nameKey = (made) => (made > 2 ? fresh : `k${made + 4}`);
      fake.reconcile();
      fake.rotate('now');
      fake.reconcile();
      expect(phases().sort()).toEqual([`${fresh} Published`, 'k5 Retired', 'k6 Active'].sort());
      expect(fake.status?.lastHandledRotate).toBe('now');
      fake.reconcile();
      expect(fake.active()?.kid).toBe('k6');
    },
  );

  test('take a very long wish to rotate once too', () => {
    fake.reconcile();
    fake.rotate('x'.repeat(5000));
    fake.reconcile();
    fake.reconcile();
    expect(fake.active()?.kid).toBe('k2');
    expect(fake.status?.lastHandledRotate?.length).toBeLessThanOrEqual(1024);
  });

  test('give a compromised key up in one write, and never take it back', () => {
    fake.reconcile();
    const before = fake.history.length;
    fake.compromise('k1');
    fake.reconcile();
    expect(fake.history[before]?.keys.map(({ kid, phase }) => `${kid} ${phase}`)).toEqual([
      'k1 Retired',
      'k2 Active',
      'k3 Published',
    ]);
    fake.status = undefined;
    fake.reconcile();
    expect(fake.keys.map(({ kid }) => kid)).not.toContain('k1');
  });

  test('give a key up that another SigningKey calls compromised, and leave it given up when that is gone', () => {
    fake.reconcile();
    fake.others = [{ ...fake.signingKey, spec: { ...fake.spec, compromised: ['k1'] } }];
    fake.reconcile();
    expect(phases()).toEqual(['k1 Retired', 'k2 Active', 'k3 Published']);
    fake.others = [];
    fake.reconcile();
    expect(phases()).toEqual(['k2 Active', 'k3 Published']);
  });

  test('are published before one signs, where none that is known can take the place of what is lost', () => {
    fake.reconcile();
    const before = fake.history.length;
    fake.secrets.clear();
    fake.reconcile();
    const written = fake.history
      .slice(before)
      .map(({ keys }) => keys.map(({ kid, phase }) => `${kid} ${phase}`));
    expect(written.at(0)).toEqual(expect.arrayContaining(['k3 Published', 'k4 Published']));
    expect(phases()).toEqual(expect.arrayContaining(['k3 Active', 'k4 Published']));
    expect(fake.activations.at(-1)).toMatchObject({
      kid: 'k3',
      because: 'emergency',
      publishedSince: fake.now,
    });
  });

  test('that are asked to rotate while none stands by make one key, not two', () => {
    fake.reconcile();
    fake.secrets.delete(fake.secretOf('k2')?.name ?? '');
    fake.rotate('now');
    fake.reconcile();
    expect(phases()).toEqual(['k1 Retired', 'k2 Retired', 'k3 Active', 'k4 Published']);
  });

  test('go on with what is there where no new one can be stored, and say so', () => {
    fake.reconcile();
    fake.mayGenerate = false;
    fake.compromise('k1');
    fake.reconcile();
    expect(phases()).toEqual(['k1 Retired', 'k2 Active']);
    expect(fake.ready()).toMatchObject({ status: 'True' });
    fake.compromise('k2');
    fake.reconcile();
    expect(fake.ready()).toMatchObject({ status: 'False', reason: 'NoActiveKey' });
    fake.mayGenerate = true;
    fake.reconcile();
    expect(fake.ready()).toMatchObject({ status: 'True', reason: 'Active' });
  });

  test('do not rotate for a wish that would fill the status, but for an emergency they do', () => {
    fake.reconcile();
    const [first] = fake.keys;
    const retired = Array.from({ length: MAX_KEYS - 4 }, (_, at) => ({
      ...FakeSigningKey.publicKey(`old${at}`),
      publicJWK: { ...first?.publicJWK },
      phase: 'Retired' as const,
      publishedAt: '2025-01-01T00:00:00Z',
      retiredAt: '2025-06-01T00:00:00Z',
    }));
    fake.status = { ...fake.status, keys: [...retired, ...fake.keys] };
    fake.tokens = retired.map(({ kid }) => ({ kid, exp: 'never' }));
    for (let turn = 0; turn < 5; turn++) {
      fake.rotate(`r${turn}`);
      fake.reconcile();
    }
    expect(fake.keys).toHaveLength(MAX_KEYS - 1);
    const active = fake.active()?.kid ?? '';
    for (let turn = 0; turn < 5; turn++) {
      fake.compromise(fake.active()?.kid ?? '');
      fake.reconcile();
      expect(fake.keys.length).toBeLessThanOrEqual(MAX_KEYS);
    }
    expect(fake.active()?.kid).not.toBe(active);
    expect(fake.standbys()).toHaveLength(1);
  });
});
