import { afterEach, describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { bodyOf } from '../../support/api.ts';
import { ClientEnv, conditionOf } from './client-env.ts';

let env: ClientEnv;
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

const registeredClients = async (names: readonly string[], namespace?: string): Promise<string[]> => {
  const clients = await Promise.all(names.map((name) => env.get(name, namespace ? { namespace } : {})));
  return clients.filter(({ status }) => status?.clientID !== undefined).map(({ metadata }) => metadata.name);
};

test('a client is registered under its own name, or under the client ID that it asks for', async () => {
  env = await ClientEnv.open();
  await env.create('app');
  await env.create('named', { clientID: 'https://example.com/app' });
  const app = await env.reason('app', 'Ready', 'Registered');
  expect(app.status).toMatchObject({ clientID: 'app', observedGeneration: 1 });
  expect(conditionOf(app, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 1 });
  const named = await env.reason('named', 'Ready', 'Registered');
  expect(named.status.clientID).toBe('https://example.com/app');
  await env.reason('app', 'CredentialsReady', 'NoMethod');
  expect(env.events).toEqual([]);
});

test('a suspended client keeps its client ID, and is Ready again when it is no longer suspended', async () => {
  env = await ClientEnv.open();
  await env.create('app', { suspended: true });
  const suspended = await env.reason('app', 'Ready', 'Suspended');
  expect(suspended.status.clientID).toBe('app');
  expect(conditionOf(suspended, 'Ready').status).toBe('False');
  await env.patch('app', { spec: { suspended: false } });
  await env.reason('app', 'Ready', 'Registered');
  await env.patch('app', { spec: { suspended: true } });
  await env.reason('app', 'Ready', 'Suspended');
});

describe('a client ID', () => {
  const shared = { clientID: 'shared' };

  test('belongs to who was there first, in whatever namespace; who lost it gets it when re-created alone', async () => {
    env = await ClientEnv.open();
    await env.create('first', shared);
    await env.reason('first', 'Ready', 'Registered');
    await env.create('second', shared, env.otherNamespace);
    const second = await env.reason('second', 'Ready', 'ClientIDConflict', env.otherNamespace);
    expect(second.status.clientID).toBeUndefined();
    await env.idle();
    expect(env.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual(['Warning ClientIDConflict']);
    await env.api.delete(env.ref('OAuthClient', 'first'));
    await env.idle();
    await env.api.patch(env.ref('OAuthClient', 'second', env.otherNamespace), 'merge', {
      metadata: { labels: { seen: 'again' } },
    });
    await env.idle();
    await env.reason('second', 'Ready', 'ClientIDConflict', env.otherNamespace);
    await env.api.delete(env.ref('OAuthClient', 'second', env.otherNamespace));
    await env.create('second', shared, env.otherNamespace);
    await env.reason('second', 'Ready', 'Registered', env.otherNamespace);
  });

  test('is held by exactly one of many that come at once', async () => {
    env = await ClientEnv.open({ started: false });
    const names = Array.from({ length: 12 }, (_, at) => `claimant-${at}`);
    await Promise.all(names.map((name) => env.create(name, shared)));
    await env.start();
    await env.until(async () => {
      const reasons = await Promise.all(
        names.map(async (name) => conditionOf(await env.get(name), 'Ready')?.reason),
      );
      expect(reasons.filter((reason) => reason === 'Registered')).toHaveLength(1);
      expect(reasons.filter((reason) => reason === 'ClientIDConflict')).toHaveLength(11);
    });
    expect(await registeredClients(names)).toHaveLength(1);
  });

  test('that two hold after a restore stays with the older', async () => {
    env = await ClientEnv.open({ started: false });
    for (const name of ['older', 'younger']) {
      const created = await env.create(name, shared);
      bodyOf(
        await env.api.patch(created, 'merge', { status: { clientID: 'shared' } }, { subresource: 'status' }),
      );
    }
    await env.start();
    await env.reason('younger', 'Ready', 'ClientIDConflict');
    expect(await registeredClients(['older', 'younger'])).toEqual(['older']);
  });

  test('goes to the next where the first is deleted before it was asked', async () => {
    env = await ClientEnv.open({ started: false });
    await env.create('first', shared);
    await env.create('second', shared);
    await env.api.delete(env.ref('OAuthClient', 'first'));
    await env.start();
    await env.reason('second', 'Ready', 'Registered');
  });

  test('that a user removed from the status is restored', async () => {
    env = await ClientEnv.open();
    const app = await env.create('app');
    await env.reason('app', 'Ready', 'Registered');
    await env.reason('app', 'CredentialsReady', 'NoMethod');
    bodyOf(
      await env.api.patch(
        app,
        'merge',
        { status: { clientID: null, conditions: null } },
        { subresource: 'status' },
      ),
    );
    await env.until(async () => expect((await env.get('app')).status.clientID).toBe('app'));
    await env.reason('app', 'CredentialsReady', 'NoMethod');
  });
});

test('what the schema lets through and this configuration reserves gets no tokens', async () => {
  env = await ClientEnv.open();
  await env.create('app', { insertTokenClaims: { 'https://example.com/owner': 'root' } });
  const app = await env.reason('app', 'Ready', 'Suspended');
  expect(conditionOf(app, 'Ready').message).toContain('"https://example.com/owner"');
  await env.patch('app', { spec: { insertTokenClaims: null } });
  await env.reason('app', 'Ready', 'Registered');
});

test.each([
  ['before', 'outage', new ApiError('away', { status: 503 })],
  ['after', 'outage', new ApiError('away', { status: 503 })],
  ['before', 'conflict', new ApiError('changed', { status: 409, reason: 'Conflict' })],
  ['after', 'conflict', new ApiError('changed', { status: 409, reason: 'Conflict' })],
] as const)('a failure %s the status write (%s) is repaired', async (when, _, error) => {
  env = await ClientEnv.open();
  env.faults.push({ call: 'updateStatus OAuthClient', when, error });
  await env.create('app');
  await env.reason('app', 'Ready', 'Registered');
  await env.reason('app', 'CredentialsReady', 'NoMethod');
});

test('a restart writes nothing', async () => {
  env = await ClientEnv.open();
  await env.create('app');
  await env.create('lost', { clientID: 'app' });
  await env.reason('lost', 'Ready', 'ClientIDConflict');
  await env.reason('lost', 'CredentialsReady', 'NoMethod');
  await env.reason('app', 'CredentialsReady', 'NoMethod');
  await env.stop();
  env.calls.length = 0;
  await env.start();
  await env.idle();
  expect(env.calls).toEqual([]);
});
