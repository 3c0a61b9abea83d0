import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { ApiError } from '../../../operator/ports/kube.ts';
import { bodyOf } from '../../support/api.ts';
import { acceptedPems, refusedPems } from '../../support/private-pems.ts';
import { conditionOf, DAY, HOUR, ISSUER_URL, MINUTE, SigningKeyStage } from './signing-key-stage.ts';

jest.setTimeout(30_000);

let stage: SigningKeyStage;
beforeEach(async () => {
  stage = await SigningKeyStage.open();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const privateKeyRef = { name: 'brought', key: 'tls.key' };
const newPem = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString();
const activeKid = async (): Promise<string | undefined> =>
  (await stage.keys()).find(({ phase }) => phase === 'Active')?.kid;

describe('a brought key', () => {
  test.each(acceptedPems())('$name signs as $algorithm', async ({ pem, algorithm }) => {
    await stage.bring(pem);
    await stage.create({ algorithm, privateKeyRef });
    await stage.ready('Active');
    expect(await stage.keySecrets()).toEqual([]);
    const signer = await stage.until(() => stage.keyring.active() ?? false);
    if (!signer) throw new Error('no signer');
    const jwt = await signer.sign({ typ: 'JWT', claims: { iss: ISSUER_URL } });
    const keys = createLocalJWKSet((await stage.jwks()) as JSONWebKeySet);
    expect((await jwtVerify(jwt, keys)).protectedHeader.alg).toBe(algorithm);
  });

  test.each(refusedPems().filter(({ pem }) => pem.length < 10_000))(
    '$name is PrivateKeyInvalid, and nothing of it is told',
    async ({ pem, algorithm, reason }) => {
      await stage.bring(pem);
      await stage.create({ algorithm, privateKeyRef });
      const object = await stage.ready('PrivateKeyInvalid');
      expect(conditionOf(object).message).toContain(reason);
      for (const line of pem.split('\n').filter((text) => text.length > 6 && !text.startsWith('-----'))) {
        expect(JSON.stringify([object, stage.events, stage.kube.log.lines])).not.toContain(line);
      }
    },
  );

  test('is waited for: its Secret, its key, and a PEM that fits, each is seen at once', async () => {
    await stage.create({ privateKeyRef });
    expect(conditionOf(await stage.ready('PrivateKeyInvalid')).message).toContain(
      'Secret "brought" is missing',
    );
    bodyOf(await stage.api.create({ ...stage.ref('Secret', 'brought'), data: { other: 'eA==' } }));
    await stage.until(async () => {
      expect(conditionOf(await stage.get()).message).toContain(
        'key "tls.key" of Secret "brought" is missing',
      );
    });
    await stage.bring('no key');
    await stage.until(async () => {
      expect(conditionOf(await stage.get()).message).toContain('no PEM');
    });
    await stage.bring(newPem());
    await stage.ready('Active');
    expect(stage.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Warning PrivateKeyInvalid',
      'Normal Active',
    ]);
  });

  test('in another Secret is published first; in the same one it signs at once, since the old one is gone', async () => {
    await stage.bring(newPem());
    await stage.create({ privateKeyRef });
    await stage.ready('Active');
    const first = await activeKid();
    await stage.bring(newPem(), 'second');
    await stage.patch({ spec: { privateKeyRef: { ...privateKeyRef, name: 'second' } } });
    const { standby: second } = await stage.settled();
    expect(await activeKid()).toBe(first);
    await stage.pass(DAY);
    await stage.until(async () => expect(await activeKid()).toBe(second));
    await stage.bring(newPem(), 'second');
    await stage.until(async () => expect([first, second]).not.toContain(await activeKid()));
    expect((await stage.keys()).map(({ phase }) => phase).sort()).toEqual(['Active', 'Retired', 'Retired']);
    const third = await activeKid();
    await stage.until(() => expect(stage.keyring.active()?.kid).toBe(third));
  });

  test('that is compromised is KeyCompromised until another is brought', async () => {
    await stage.bring(newPem());
    await stage.create({ privateKeyRef });
    await stage.ready('Active');
    const kid = await activeKid();
    await stage.patch({ spec: { compromised: [kid] } });
    await stage.ready('KeyCompromised');
    expect(await activeKid()).toBeUndefined();
    expect((await stage.jwks()).keys).toEqual([]);
    expect(stage.keyring.active()).toBeUndefined();
    await stage.bring(newPem());
    await stage.ready('Active');
    expect(await activeKid()).not.toBe(kid);
  });

  test('that lost its Secret stays Active and says so, and goes on when it is back; the Secret is never touched', async () => {
    const pem = newPem();
    await stage.bring(pem);
    await stage.create({ privateKeyRef });
    await stage.ready('Active');
    const kid = await activeKid();
    await stage.api.delete(stage.ref('Secret', 'brought'));
    await stage.ready('PrivateKeyInvalid');
    expect(await activeKid()).toBe(kid);
    await stage.bring(pem);
    await stage.ready('Active');
    expect(await activeKid()).toBe(kid);
    expect(stage.writes.filter((call) => call.includes(' Secret '))).toEqual([]);
  });

  test('takes over from generated keys in time, and they from it', async () => {
    await stage.create();
    const generated = await stage.settled();
    await stage.bring(newPem());
    await stage.patch({ spec: { privateKeyRef } });
    const waiting = await stage.settled(1);
    expect([waiting.active, waiting.retired]).toEqual([generated.active, [generated.standby]]);
    await stage.pass(DAY);
    await stage.until(async () => expect(await activeKid()).toBe(waiting.standby));
    await stage.until(async () => expect(await stage.keySecrets()).toEqual([]));
    await stage.patch({ spec: { privateKeyRef: null } });
    const back = await stage.until(async () => {
      const standby = (await stage.keys()).find(({ phase }) => phase === 'Published');
      expect(standby).toBeDefined();
      return standby;
    });
    expect(await activeKid()).toBe(waiting.standby);
    await stage.pass(DAY);
    await stage.until(async () => expect(await activeKid()).toBe(back?.kid));
    expect((await stage.get('Secret', 'brought')).metadata.name).toBe('brought');
  });
});

describe('what is lost', () => {
  test('the active private half: the standby takes over, and another stands by', async () => {
    await stage.create();
    const first = await stage.settled();
    const secret = (await stage.keys()).find(({ kid }) => kid === first.active)?.secretRef?.name ?? '';
    await stage.api.delete(stage.ref('Secret', secret));
    const second = await stage.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
  });

  test('its content: a PEM that somebody put there never signs', async () => {
    await stage.create();
    const first = await stage.settled();
    const secret = (await stage.keys()).find(({ kid }) => kid === first.active)?.secretRef?.name ?? '';
    const data = { 'private.pem': Buffer.from(newPem()).toString('base64') };
    bodyOf(await stage.api.patch(stage.ref('Secret', secret), 'merge', { data }));
    const second = await stage.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
    await stage.until(async () =>
      expect((await stage.api.get(stage.ref('Secret', secret))).status).toBe(404),
    );
  });

  test('labels and annotations: put back, and no key is taken for lost', async () => {
    await stage.create();
    const first = await stage.settled();
    for (const { metadata } of await stage.keySecrets()) {
      const patch = { metadata: { labels: null, annotations: null } };
      bodyOf(await stage.api.patch(stage.ref('Secret', metadata.name), 'merge', patch));
    }
    await stage.until(async () => {
      const secrets = await stage.keySecrets();
      const kids = secrets.map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']);
      expect(kids.sort()).toEqual([first.active, first.standby].sort());
      for (const { metadata } of secrets) {
        expect(metadata.labels).toEqual({
          'app.kubernetes.io/managed-by': 'm2m-oauth-operator',
          'm2moauth.dev/signing-key': 'default',
        });
      }
    });
    expect(await stage.settled()).toEqual(first);
  });

  test('the status, or the whole SigningKey: it is rebuilt from the Secrets, retired keys too', async () => {
    await stage.create();
    await stage.settled();
    await stage.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
    const before = await stage.settled(1);
    await stage.until(async () => {
      const active = (await stage.keySecrets()).find(
        ({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'] === before.active,
      );
      expect(active?.data['retired.json']).toBeDefined();
    });
    await stage.idle();
    const jwks = await stage.jwks();
    const status = { keys: null, lastHandledRotate: null };
    bodyOf(
      await stage.api.patch(
        stage.ref('SigningKey', 'default'),
        'merge',
        { status },
        { subresource: 'status' },
      ),
    );
    await stage.until(async () => expect(await stage.settled(1)).toEqual(before));
    await stage.api.delete(stage.ref('SigningKey', 'default'));
    await stage.until(() => expect(stage.keyring.phase(before.active)).toBeUndefined());
    expect(await stage.keySecrets()).toHaveLength(2);
    await stage.create();
    expect(await stage.settled(1)).toEqual(before);
    await stage.until(async () => expect(await stage.jwks()).toEqual(jwks));
  });

  test('a quota that leaves no room for keys is NoActiveKey, and is got over', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { namespace: stage.namespace, name: 'none' },
      spec: { hard: { 'count/secrets': '0' } },
    };
    const path = `/api/v1/namespaces/${stage.namespace}/resourcequotas`;
    bodyOf(await stage.api.request('POST', path, quota));
    await stage.until(async () => {
      const { body } = await stage.api.request('GET', `${path}/none`);
      expect(body.status?.hard).toBeDefined();
    });
    await stage.create();
    const object = await stage.ready('NoActiveKey');
    expect(conditionOf(object).message).toContain('403');
    bodyOf(await stage.api.request('DELETE', `${path}/none`));
    await stage.ready('Active');
    await stage.settled();
  });
});

describe('the ConfigMap', () => {
  const name = 'default-jwks';
  beforeEach(async () => {
    await stage.create();
    await stage.settled();
    await stage.idle();
  });

  test.each([
    ['another key set', { data: { 'jwks.json': '{"keys":[]}' } }],
    ['no data', { data: null }],
    ['no labels', { metadata: { labels: null } }],
    ['other data, and never to change again', { data: { 'jwks.json': 'x' }, immutable: true }],
  ])('is put back where somebody gave it %s', async (_, patch) => {
    const before = await stage.jwks();
    bodyOf(await stage.api.patch(stage.ref('ConfigMap', name), 'merge', patch));
    await stage.until(async () => {
      const found = await stage.get('ConfigMap', name);
      expect(JSON.parse(found.data['jwks.json'])).toEqual(before);
      expect(found.metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' });
    });
  });

  test('is put back where somebody deleted it, and keeps what others add', async () => {
    const before = await stage.jwks();
    await stage.api.delete(stage.ref('ConfigMap', name));
    await stage.until(async () => expect(await stage.jwks()).toEqual(before));
    bodyOf(
      await stage.api.patch(stage.ref('ConfigMap', name), 'merge', {
        data: { mine: 'yes', 'jwks.json': 'no' },
      }),
    );
    await stage.until(async () => expect(await stage.jwks()).toEqual(before));
    expect((await stage.get('ConfigMap', name)).data.mine).toBe('yes');
  });

  test("is left alone where it is somebody else's", async () => {
    bodyOf(
      await stage.api.create({ ...stage.ref('ConfigMap', 'other-jwks'), data: { 'jwks.json': 'mine' } }),
    );
    await stage.create({}, 'other');
    await stage.ready('Active', 'other');
    await stage.idle();
    expect((await stage.get('ConfigMap', 'other-jwks')).data).toEqual({ 'jwks.json': 'mine' });
    await stage.api.delete(stage.ref('ConfigMap', 'other-jwks'));
    await stage.pass(5 * MINUTE);
    await stage.until(async () => expect((await stage.jwks('other')).keys).toHaveLength(4));
  });

  test('holds the keys of every SigningKey, and changes with any of them', async () => {
    await stage.create({ algorithm: 'EdDSA' }, 'other');
    await stage.ready('Active', 'other');
    await stage.until(async () => {
      expect((await stage.jwks()).keys).toHaveLength(4);
      expect(await stage.jwks('other')).toEqual(await stage.jwks());
    });
    const [kid] = (await stage.keys('other')).map((key) => key.kid);
    await stage.patch({ spec: { compromised: [kid] } }, 'other');
    await stage.until(async () => {
      expect((await stage.jwks()).keys.map((key) => key.kid)).not.toContain(kid);
      expect((await stage.jwks()).keys).toHaveLength(4);
    });
  });
});

describe('failures', () => {
  const away = () => new ApiError('the API server is away', { status: 503 });
  const conflict = () => new ApiError('it changed', { status: 409, reason: 'Conflict' });

  test.each(
    ['create Secret', 'update Secret', 'updateStatus SigningKey', 'create ConfigMap'].flatMap((call) =>
      (['before', 'after'] as const).map((when) => ({ call, when })),
    ),
  )('a failure $when "$call" at the start is repaired, and makes no key too many', async ({ call, when }) => {
    stage.faults.push({ call, when, error: away() });
    await stage.create();
    const first = await stage.settled();
    await stage.until(async () => {
      const kids = (await stage.keySecrets()).map(
        ({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'],
      );
      expect(kids.sort()).toEqual([first.active, first.standby].sort());
      expect((await stage.jwks()).keys).toHaveLength(2);
    });
    expect(stage.faults).toEqual([]);
    await stage.idle();
    expect(await stage.settled()).toEqual(first);
  });

  test.each(
    [
      'create Secret',
      'update Secret',
      'delete Secret',
      'updateStatus SigningKey',
      'update ConfigMap',
    ].flatMap((call) =>
      (['before', 'after'] as const).flatMap((when) => [
        { call, when, what: 'outage', error: away },
        { call, when, what: 'conflict', error: conflict },
      ]),
    ),
  )('a failure ($what) $when "$call" of a rotation is repaired', async ({ call, when, error }) => {
    await stage.create();
    const first = await stage.settled();
    await stage.idle();
    stage.faults.push({ call, when, error: error() });
    await stage.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
    const second = await stage.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
    await stage.until(async () => {
      const kids = (await stage.keySecrets()).map(
        ({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'],
      );
      expect(kids.sort()).toEqual([second.active, second.standby].sort());
      expect((await stage.jwks()).keys).toHaveLength(3);
    });
    expect(stage.faults).toEqual([]);
  });

  test('a restart reads, and writes nothing', async () => {
    await stage.create();
    const first = await stage.settled();
    await stage.idle();
    await stage.stop();
    stage.calls.length = 0;
    await stage.start();
    await stage.until(() => expect(stage.keyring.active()?.kid).toBe(first.active));
    await stage.pass(HOUR);
    expect(stage.writes).toEqual([]);
    expect(await stage.settled()).toEqual(first);
  });

  test('no private half is in a status, a log line or an event', async () => {
    await stage.create();
    await stage.settled();
    const bodies = (await stage.keySecrets()).map(
      ({ data }) => Buffer.from(data['private.pem'], 'base64').toString('utf8').split('\n')[1] ?? 'none',
    );
    const seen = JSON.stringify([await stage.get(), stage.events, stage.kube.log.lines, await stage.jwks()]);
    for (const body of bodies) expect(seen).not.toContain(body);
  });
});
