import { beforeEach, describe, expect, test } from '@jest/globals';
import { ROTATE_ANNOTATION } from '../../../../operator/domain/key/rotation-plan.ts';
import { ApiError } from '../../../../operator/ports/kube.ts';
import { DAY } from '../../../support/durations.ts';
import { SigningKeyDesk } from './signing-key-desk.ts';

let desk: SigningKeyDesk;
beforeEach(() => {
  desk = new SigningKeyDesk();
});

const activeKid = (): string | undefined => desk.keys.find(({ phase }) => phase === 'Active')?.kid;

describe('while the ConfigMap with the key set can not be written', () => {
  const refuse = (status = 403): void => {
    desk.configMaps.admit = () => {
      throw new ApiError('exceeded quota', { status });
    };
  };

  test('the first key is published and does not sign, until that failed five times in a row', async () => {
    desk.create();
    refuse();
    for (let failure = 1; failure <= 4; failure++) {
      await expect(desk.reconcile()).rejects.toThrow('exceeded quota');
      expect(desk.phases).toEqual(['Published', 'Published']);
    }
    expect(desk.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    await expect(desk.reconcile()).rejects.toThrow('exceeded quota');
    expect(desk.phases).toEqual(['Active', 'Published']);
    expect(desk.log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining('ConfigMap') }),
    );
  });

  test('the first key signs as soon as it can be written', async () => {
    desk.create();
    refuse();
    await expect(desk.reconcile()).rejects.toThrow('exceeded quota');
    desk.configMaps.admit = (object) => object;
    await desk.reconcile();
    expect(desk.phases).toEqual(['Active', 'Published']);
    expect(desk.configMaps.find('default-jwks').data?.['jwks.json']).toContain(activeKid());
  });

  test('no key takes over that it does not hold; one that it holds does', async () => {
    desk.create();
    await desk.reconcile();
    const [first, standby] = [activeKid(), desk.keys.find(({ phase }) => phase === 'Published')?.kid];
    refuse();
    const rotate = (value: string) =>
      desk.change((old) => ({
        ...old,
        metadata: { ...old.metadata, annotations: { [ROTATE_ANNOTATION]: value } },
      }));
    rotate('one');
    await expect(desk.reconcile()).rejects.toThrow('exceeded quota');
    expect(activeKid()).toBe(standby);
    expect(first).not.toBe(standby);
    rotate('two');
    await expect(desk.reconcile()).rejects.toThrow('exceeded quota');
    expect(activeKid()).toBe(standby);
  });

  test('what takes the place of a compromised key signs none the less', async () => {
    desk.create();
    await desk.reconcile();
    const kids = desk.keys.map(({ kid }) => kid);
    refuse();
    desk.change((old) => ({ ...old, spec: { ...old.spec, compromised: kids } }));
    for (let pass = 0; pass < 2; pass++) await expect(desk.reconcile()).rejects.toThrow('exceeded quota');
    expect(kids).not.toContain(activeKid());
    expect(activeKid()).toBeDefined();
  });

  test('a conflict never counts: the watch tells what it is about', async () => {
    desk.create();
    refuse(409);
    for (let pass = 0; pass < 8; pass++) await expect(desk.reconcile()).rejects.toThrow('exceeded quota');
    expect(desk.phases).toEqual(['Published', 'Published']);
  });
});

test('a status that the cache has not seen yet is believed, and no Secret of a key in it is deleted', async () => {
  desk.create();
  await desk.reconcile();
  const seen = desk.signingKeys.find('default');
  await desk.clock.advance(90 * DAY);
  await desk.reconcile();
  const secrets = [...desk.secrets.objects.keys()].sort();
  const late = new SigningKeyDesk();
  for (const shelf of ['signingKeys', 'secrets', 'configMaps'] as const)
    for (const object of desk[shelf].objects.values())
      late[shelf].objects.set(object.metadata.name, object as never);
  await late.clock.advance(90 * DAY);
  late.cache.observe(seen);
  await late.reconcile();
  expect(late.keys).toEqual(desk.keys);
  expect([...late.secrets.objects.keys()].sort()).toEqual(secrets);
});

test('a SigningKey that is gone, though the cache does not know it yet, is left alone', async () => {
  desk.create();
  desk.signingKeys.objects.clear();
  expect(await desk.reconcile()).toEqual({ kind: 'done' });
  expect(desk.secrets.objects.size).toBe(0);
});

test('what changes our Secrets back again and again meets backoff, and the error names the SigningKey', async () => {
  desk.secrets.admit = (secret) => ({
    ...secret,
    metadata: {
      ...secret.metadata,
      labels: { ...secret.metadata.labels, 'app.kubernetes.io/managed-by': 'me' },
    },
  });
  desk.create();
  await expect(desk.reconcile()).rejects.toThrow('SigningKey system/default');
});
