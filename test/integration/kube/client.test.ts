import { afterAll, describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../operator/api/meta.ts';
import { createKubeClient } from '../../../operator/kube/client.ts';
import { Connection } from '../../../operator/kube/connection.ts';
import { loadCredentialSource } from '../../../operator/kube/credentials.ts';
import { CONFIG_MAPS, createResourceClient, SECRETS } from '../../../operator/kube/resource-client.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import {
  ApiError,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isRejected,
} from '../../../operator/ports/kube.ts';
import type { Secret } from '../../../operator/ports/secrets.ts';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { settle } from '../../support/fake-clock.ts';
import { openKube } from '../../support/kube.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const api = testApi();
afterAll(api.close);
const kube = openKube();
afterAll(kube.close);
const configMaps = createResourceClient<ConfigMap>(kube.client, CONFIG_MAPS);
const secrets = createResourceClient<Secret>(kube.client, SECRETS);

const newConfigMap = (namespace: string, name = 'c') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
});

const failureOf = async (call: Promise<unknown>): Promise<ApiError> => {
  const error = await call.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (error instanceof ApiError) return error;
  throw new Error('the call did not fail with an ApiError', { cause: error });
};

describe('calls on a resource', () => {
  test('create, read, update and delete, without managedFields in the answers', async () => {
    const namespace = await api.createNamespace();
    const created = await configMaps.create(newConfigMap(namespace));
    expect(created.metadata).not.toHaveProperty('managedFields');
    const updated = await configMaps.update({ ...created, data: { k: 'v' } });
    expect(await configMaps.get({ namespace, name: 'c' })).toEqual(updated);
    const { uid, resourceVersion } = updated.metadata;
    await configMaps.delete(updated.metadata, { uid, resourceVersion });
    expect(isNotFound(await failureOf(configMaps.get({ namespace, name: 'c' })))).toBe(true);
  });

  test('are made under our field manager', async () => {
    const namespace = await api.createNamespace();
    const own = createResourceClient<ConfigMap>(kube.client, CONFIG_MAPS, { keepManagedFields: true });
    const created = await own.create({ ...newConfigMap(namespace), data: { a: '1' } });
    expect(created.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['m2m-oauth-operator']);
  });

  test('reject an unknown field of a new object', async () => {
    const namespace = await api.createNamespace();
    const typo = { ...newConfigMap(namespace), dat: {} };
    expect((await failureOf(configMaps.create(typo))).status).toBe(400);
  });

  test('distinguish an object that exists from one that changed', async () => {
    const namespace = await api.createNamespace();
    const created = await configMaps.create(newConfigMap(namespace));
    expect(isAlreadyExists(await failureOf(configMaps.create(newConfigMap(namespace))))).toBe(true);
    await configMaps.update({ ...created, data: { k: '1' } });
    const { uid, resourceVersion } = created.metadata;
    expect(isConflict(await failureOf(configMaps.update({ ...created, data: { k: '2' } })))).toBe(true);
    expect(isConflict(await failureOf(configMaps.delete(created.metadata, { uid, resourceVersion })))).toBe(
      true,
    );
  });

  test('lose against an object made anew under the same name', async () => {
    const namespace = await api.createNamespace();
    const first = await configMaps.create(newConfigMap(namespace));
    bodyOf(await api.delete(newConfigMap(namespace)));
    const second = await configMaps.create(newConfigMap(namespace));
    const stale = { ...second, metadata: { ...second.metadata, uid: first.metadata.uid } };
    expect(isConflict(await failureOf(configMaps.update(stale)))).toBe(true);
    const { resourceVersion } = second.metadata;
    const wrongUid = { uid: first.metadata.uid, resourceVersion };
    expect(isConflict(await failureOf(configMaps.delete(second.metadata, wrongUid)))).toBe(true);
  });

  test.each(['', '.', '..', '../secrets', 'a/b', 'a?watch=1'])(
    'never reach another path by the name %j',
    async (name) => {
      expect(isNotFound(await failureOf(configMaps.get({ namespace: 'default', name })))).toBe(true);
    },
  );
});

describe('a failure', () => {
  test('verb, path, reason and the API server’s words', async () => {
    const failure = await failureOf(configMaps.create({ ...newConfigMap('default', 'Not Valid') }));
    expect(isRejected(failure)).toBe(true);
    expect(failure.message).toMatch(
      /^create \/api\/v1\/namespaces\/default\/configmaps: 422 Invalid: .*metadata\.name/u,
    );
  });

  test('of a Secret not even those: they quote values', async () => {
    const namespace = await api.createNamespace();
    const bad = {
      apiVersion: 'v1',
      kind: 'Secret' as const,
      type: 'kubernetes.io/dockerconfigjson',
      metadata: { name: 's', namespace },
      data: { '.dockerconfigjson': Buffer.from('sensitive').toString('base64') },
    };
    const failure = await failureOf(secrets.create(bad));
    expect(failure.message).toBe(`create /api/v1/namespaces/${namespace}/secrets: 422 Invalid`);
  });

  test('no answer is status 0 with the cause’s code', async () => {
    const proxy = await startTcpProxy(api.server);
    const cut = openKube({ server: proxy.url });
    proxy.refuse();
    const failure = await failureOf(
      cut.client.request({ verb: 'create', path: '/api/v1/namespaces', body: {} }),
    );
    expect(failure).toMatchObject({ status: 0, reason: 'Unreachable' });
    await cut.close();
    await proxy.close();
  });

  test('an aborted call fails as such, also while it waits for a connection', async () => {
    const proxy = await startTcpProxy(api.server);
    const stalled = openKube({ server: proxy.url });
    proxy.stall();
    const stop = new AbortController();
    const call = failureOf(stalled.client.request({ verb: 'get', path: '/api', signal: stop.signal }));
    stop.abort();
    expect(await call).toMatchObject({ status: 0, reason: 'Aborted' });
    await stalled.close();
    await proxy.close();
  });

  test('an API server that goes silent is given up after the timeout', async () => {
    const proxy = await startTcpProxy(api.server);
    const stalled = openKube({ server: proxy.url });
    await stalled.client.request({ verb: 'get', path: '/api' });
    // undici gives the connection back a moment later.
    await settle();
    proxy.stall();
    const call = failureOf(stalled.client.request({ verb: 'get', path: '/api', timeoutMs: 300 }));
    expect(await call).toMatchObject({ status: 0, reason: 'Timeout' });
    await stalled.close();
    await proxy.close();
  });
});

describe('a client', () => {
  test('repeats a read whose kept connection broke, and no write', async () => {
    const proxy = await startTcpProxy(api.server);
    const own = openKube({ server: proxy.url });
    await own.client.request({ verb: 'get', path: '/api' });
    const read = own.client.request({ verb: 'get', path: '/api/v1/namespaces/default' });
    proxy.cut();
    expect(await read).toMatchObject({ kind: 'Namespace' });
    await own.close();
    await proxy.close();
  });

  test('counts requests by verb and code, and knows how far the clocks are apart', async () => {
    const own = openKube();
    await own.client.request({ verb: 'get', path: '/api/v1/namespaces/default' });
    await failureOf(own.client.request({ verb: 'get', path: '/api/v1/namespaces/no-such' }));
    const counted = own.metrics.calls
      .filter(([name]) => name === 'apiRequest')
      .map((call) => call.slice(1, 3));
    expect(counted).toEqual([
      ['get', 200],
      ['get', 404],
    ]);
    expect(Math.abs(own.client.clockSkew.seconds)).toBeLessThan(2);
    await own.close();
  });

  test('sees a clock that is wrong, and warns', async () => {
    const log = recordedLog();
    const metrics = recordedMetrics();
    const clock = { ...systemClock, now: () => systemClock.now() + 300_000 };
    const connection = new Connection(loadCredentialSource(process.env.M2M_TEST_KUBECONFIG), { clock, log });
    const client = createKubeClient({ connection, clock, log, metrics });
    await client.request({ verb: 'get', path: '/api' });
    expect(client.clockSkew.seconds).toBeGreaterThan(298);
    expect(client.clockSkew.seconds).toBeLessThan(302);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { aheadSeconds: expect.any(Number) } }]);
    await connection.close();
  });

  test('gated, rejects writes at once and lets reads through', async () => {
    const namespace = await api.createNamespace();
    let leading = true;
    const gated = createResourceClient<ConfigMap>(
      kube.client.gated(() => leading),
      CONFIG_MAPS,
    );
    const created = await gated.create(newConfigMap(namespace));
    leading = false;
    expect(await failureOf(gated.update({ ...created, data: { late: '1' } }))).toMatchObject({
      status: 0,
      reason: 'NotLeader',
    });
    expect((await gated.get(created.metadata)).data).toBeUndefined();
  });
});

describe('a connection', () => {
  test('reads the credentials again after a 401, and the call succeeds', async () => {
    const log = recordedLog();
    const metrics = recordedMetrics();
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const token = bodyOf(await api.request('POST', path, request)).status.token as string;
    const admin = await loadCredentialSource(process.env.M2M_TEST_KUBECONFIG)();
    let bearer = 'expired';
    const connection = new Connection(
      async () => {
        const headers = { authorization: `Bearer ${bearer}` };
        bearer = token;
        return { server: admin.server, tls: admin.tls.ca ? { ca: admin.tls.ca } : {}, headers };
      },
      { clock: systemClock, log },
    );
    const client = createKubeClient({ connection, clock: systemClock, log, metrics });
    await client.request({ verb: 'get', path: '/api' });
    const codes = metrics.calls.filter(([name]) => name === 'apiRequest').map((call) => call[2]);
    expect(codes).toEqual([401, 200]);
    await connection.close();
  });

  test('moves to new connections when the certificates change, and ends the old ones without breaking a call', async () => {
    const log = recordedLog();
    const metrics = recordedMetrics();
    const proxy = await startTcpProxy(api.server);
    const admin = await loadCredentialSource(process.env.M2M_TEST_KUBECONFIG)();
    let now = systemClock.now();
    const clock = { ...systemClock, now: () => now };
    let ca = String(admin.tls.ca);
    const source = async () => ({ ...admin, server: proxy.url, tls: { ...admin.tls, ca } });
    const connection = new Connection(source, { clock, log });
    const client = createKubeClient({ connection, clock, log, metrics });
    await client.request({ verb: 'get', path: '/api' });
    ca = `${ca}\n`;
    const calls = Array.from({ length: 8 }, () => client.request({ verb: 'get', path: '/api' }));
    now += 11_000;
    await client.request({ verb: 'get', path: '/api' });
    await Promise.all(calls);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'certificates of the API server connection changed',
    ]);
    await eventually(() => expect(proxy.open).toBe(1));
    await connection.close();
    await proxy.close();
  });

  test('is kept after a conditional delete', async () => {
    const namespace = await api.createNamespace();
    const proxy = await startTcpProxy(api.server);
    const own = openKube({ server: proxy.url });
    try {
      const client = createResourceClient<ConfigMap>(own.client, CONFIG_MAPS);
      for (let n = 0; n < 10; n++) {
        const { metadata } = await client.create(newConfigMap(namespace, `c-${n}`));
        const { uid, resourceVersion } = metadata;
        await client.delete(metadata, { uid, resourceVersion });
      }
      expect(proxy.accepted).toBeLessThanOrEqual(2);
    } finally {
      await own.close();
      await proxy.close();
    }
  });

  test('opens no more connections than it may, however much is asked at once', async () => {
    const proxy = await startTcpProxy(api.server);
    const own = openKube({ server: proxy.url });
    await Promise.all(Array.from({ length: 200 }, () => own.client.request({ verb: 'get', path: '/api' })));
    expect(proxy.accepted).toBeLessThanOrEqual(32);
    await own.close();
    await proxy.close();
  });
});
