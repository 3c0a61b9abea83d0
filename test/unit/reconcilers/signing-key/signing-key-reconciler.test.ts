import { beforeEach, describe, expect, test } from '@jest/globals';
import { ROTATE_REQUEST } from '../../../../operator/domain/held-metadata.ts';
import { ApiError } from '../../../../operator/ports/kube.ts';
import { DAY } from '../../../support/durations.ts';
import { FakeSigningKeyApi } from './fake-signing-key-api.ts';

let fake: FakeSigningKeyApi;
beforeEach(() => {
  fake = new FakeSigningKeyApi();
});

const activeKid = (): string | undefined => fake.keys.find(({ phase }) => phase === 'Active')?.kid;

describe('the default SigningKey', () => {
  const defaultKey = { name: 'default', spec: { algorithm: 'EdDSA' } } as const;
  const warnings = (): unknown[] => fake.log.lines.filter(({ level }) => level === 'warn');

  test('is created with the configured spec, and signs', async () => {
    fake = new FakeSigningKeyApi(defaultKey);
    await fake.reconcile();
    expect(fake.signingKeys.find('default').spec).toEqual({ algorithm: 'EdDSA' });
    await fake.reconcile();
    expect(fake.keys.map(({ algorithm }) => algorithm)).toEqual(['EdDSA', 'EdDSA']);
  });

  test('is not created without a configuration that says so', async () => {
    await fake.reconcile();
    expect(fake.signingKeys.objects.size).toBe(0);
  });

  test('is left as it is where it exists', async () => {
    fake = new FakeSigningKeyApi(defaultKey);
    fake.create({ algorithm: 'RS256' });
    await fake.reconcile();
    expect(fake.signingKeys.find('default').spec).toEqual({ algorithm: 'RS256' });
  });

  test('is not created while Secrets with its keys exist, and with them it comes back', async () => {
    fake = new FakeSigningKeyApi(defaultKey);
    fake.create();
    await fake.reconcile();
    const active = activeKid();
    fake.signingKeys.objects.clear();
    expect(await fake.reconcile()).toEqual({ kind: 'requeue', afterMs: 300_000 });
    expect(fake.signingKeys.objects.size).toBe(0);
    expect(warnings()).toMatchObject([{ fields: { name: 'default', keySecrets: 2 } }]);
    fake.create();
    await fake.reconcile();
    expect(activeKid()).toBe(active);
  });

  test('that exists although the cache lacks it is no failure', async () => {
    fake = new FakeSigningKeyApi(defaultKey);
    fake.signingKeys.put({
      ...{ apiVersion: 'm2moauth.dev/v1alpha1', kind: 'SigningKey', spec: { algorithm: 'ES256' } },
      metadata: { namespace: 'system', name: 'default' },
    } as never);
    expect(await fake.reconcile()).toEqual({ kind: 'done' });
  });

  test('that the API server rejects is an error that names the setting, and is not tried in a loop', async () => {
    fake = new FakeSigningKeyApi(defaultKey);
    fake.signingKeys.admit = () => {
      throw new ApiError('is invalid', { status: 422, reason: 'Invalid' });
    };
    expect(await fake.reconcile()).toEqual({ kind: 'requeue', afterMs: 300_000 });
    expect(fake.log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining('signingKey.spec') }),
    );
  });
});

describe('an immutable object that has to be replaced', () => {
  const makeConfigMapImmutable = (): void => {
    const found = fake.configMaps.find('default-jwks');
    fake.configMaps.put({ ...found, immutable: true, data: { theirs: 'kept', 'jwks.json': '{}' } });
  };

  test('is left alone while admission rejects its successor, and keeps what others added when it is replaced', async () => {
    fake.create();
    await fake.reconcile();
    makeConfigMapImmutable();
    fake.showConfigMaps();
    fake.configMaps.admit = () => {
      throw new ApiError('denied', { status: 403, reason: 'Forbidden' });
    };
    await expect(fake.reconcile()).rejects.toThrow('denied');
    expect(fake.configMaps.find('default-jwks').immutable).toBe(true);
    fake.configMaps.admit = (object) => object;
    await fake.reconcile();
    const { immutable, data } = fake.configMaps.find('default-jwks');
    expect(immutable).toBeUndefined();
    expect(data).toMatchObject({ theirs: 'kept', 'jwks.json': expect.stringContaining(String(activeKid())) });
  });
});

test('a default SigningKey that is forbidden names rights and policies, not the spec', async () => {
  fake = new FakeSigningKeyApi({ name: 'default', spec: { algorithm: 'ES256' } });
  fake.signingKeys.admit = () => {
    throw new ApiError('denied', { status: 403, reason: 'Forbidden' });
  };
  await fake.reconcile();
  const [line] = fake.log.lines.filter(({ level }) => level === 'error');
  expect(line?.message).toContain('grant create of signingkeys');
  expect(line?.message).not.toContain('signingKey.spec');
});

test('a ConfigMap that a SigningKey of another API group controls is left alone', async () => {
  fake.create();
  await fake.reconcile();
  const found = fake.configMaps.find('default-jwks');
  const other = {
    apiVersion: 'example.com/v1',
    kind: 'SigningKey',
    name: 'default',
    uid: 'x',
    controller: true,
  };
  const metadata = { ...found.metadata, ownerReferences: [other] };
  fake.configMaps.put({ ...found, metadata, data: {} });
  fake.showConfigMaps();
  await fake.reconcile();
  expect(fake.configMaps.find('default-jwks').data).toEqual({});
});

describe('while the ConfigMap with the key set can not be written', () => {
  const rejectWrites = (status = 403): void => {
    fake.configMaps.admit = () => {
      throw new ApiError('exceeded quota', { status });
    };
  };

  test('the first key is published and does not sign, until that failed five times in a row', async () => {
    fake.create();
    rejectWrites();
    for (let failure = 1; failure <= 4; failure++) {
      await expect(fake.reconcile()).rejects.toThrow('exceeded quota');
      expect(fake.phases).toEqual(['Published', 'Published']);
    }
    expect(fake.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    await expect(fake.reconcile()).rejects.toThrow('exceeded quota');
    expect(fake.phases).toEqual(['Active', 'Published']);
    expect(fake.log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining('ConfigMap') }),
    );
  });

  test('the first key signs as soon as it can be written', async () => {
    fake.create();
    rejectWrites();
    await expect(fake.reconcile()).rejects.toThrow('exceeded quota');
    fake.configMaps.admit = (object) => object;
    await fake.reconcile();
    expect(fake.phases).toEqual(['Active', 'Published']);
    expect(fake.configMaps.find('default-jwks').data?.['jwks.json']).toContain(activeKid());
  });

  test('no key takes over that it does not hold; one that it holds does', async () => {
    fake.create();
    await fake.reconcile();
    const [first, standby] = [activeKid(), fake.keys.find(({ phase }) => phase === 'Published')?.kid];
    rejectWrites();
    const rotate = (value: string) =>
      fake.change((old) => ({
        ...old,
        metadata: { ...old.metadata, annotations: { [ROTATE_REQUEST.annotation]: value } },
      }));
    rotate('one');
    await expect(fake.reconcile()).rejects.toThrow('exceeded quota');
    expect(activeKid()).toBe(standby);
    expect(first).not.toBe(standby);
    rotate('two');
    await expect(fake.reconcile()).rejects.toThrow('exceeded quota');
    expect(activeKid()).toBe(standby);
  });

  test('what takes the place of a compromised key signs none the less', async () => {
    fake.create();
    await fake.reconcile();
    const kids = fake.keys.map(({ kid }) => kid);
    rejectWrites();
    fake.change((old) => ({ ...old, spec: { ...old.spec, compromised: kids } }));
    for (let pass = 0; pass < 2; pass++) await expect(fake.reconcile()).rejects.toThrow('exceeded quota');
    expect(kids).not.toContain(activeKid());
    expect(activeKid()).toBeDefined();
  });

  test('a conflict never counts: the watch will deliver what caused it', async () => {
    fake.create();
    rejectWrites(409);
    for (let pass = 0; pass < 8; pass++) await expect(fake.reconcile()).rejects.toThrow('exceeded quota');
    expect(fake.phases).toEqual(['Published', 'Published']);
  });
});

test('a status that the cache has not seen yet is believed, and no Secret of a key in it is deleted', async () => {
  fake.create();
  await fake.reconcile();
  const seen = fake.signingKeys.find('default');
  await fake.clock.advance(90 * DAY);
  await fake.reconcile();
  const secrets = [...fake.secrets.objects.keys()].sort();
  const late = new FakeSigningKeyApi();
  for (const shelf of ['signingKeys', 'secrets', 'configMaps'] as const)
    for (const object of fake[shelf].objects.values())
      late[shelf].objects.set(object.metadata.name, object as never);
  await late.clock.advance(90 * DAY);
  late.cache.putIfNewer(seen);
  await late.reconcile();
  expect(late.keys).toEqual(fake.keys);
  expect([...late.secrets.objects.keys()].sort()).toEqual(secrets);
});

test('a SigningKey that is gone, though the cache does not know it yet, is left alone', async () => {
  fake.create();
  fake.signingKeys.objects.clear();
  expect(await fake.reconcile()).toEqual({ kind: 'done' });
  expect(fake.secrets.objects.size).toBe(0);
});

test('what reverts our Secrets again and again is retried with backoff, and the error names the SigningKey', async () => {
  fake.secrets.admit = (secret) => ({
    ...secret,
    metadata: {
      ...secret.metadata,
      annotations: { ...secret.metadata.annotations, 'm2moauth.dev/published-at': 'yesterday' },
    },
  });
  fake.create();
  await expect(fake.reconcile()).rejects.toThrow('SigningKey system/default');
});

test('a policy that sets the managed-by label of Secrets stops nothing', async () => {
  fake.secrets.admit = (secret) => ({
    ...secret,
    metadata: {
      ...secret.metadata,
      labels: { ...secret.metadata.labels, 'app.kubernetes.io/managed-by': 'platform' },
    },
  });
  fake.create();
  await fake.reconcile();
  expect(fake.phases).toEqual(['Active', 'Published']);
});
