import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { bodyOf } from '../../support/api.ts';
import { ClientStage, conditionOf } from './client-stage.ts';

jest.setTimeout(30_000);

let stage: ClientStage;
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const holders = async (names: readonly string[], namespace?: string): Promise<string[]> => {
  const clients = await Promise.all(names.map((name) => stage.get(name, namespace ? { namespace } : {})));
  return clients.filter(({ status }) => status?.clientID !== undefined).map(({ metadata }) => metadata.name);
};

test('a client is registered under its own name, or under the client ID that it asks for', async () => {
  stage = await ClientStage.open();
  await stage.create('app');
  await stage.create('named', { clientID: 'https://example.com/app' });
  const app = await stage.reason('app', 'Ready', 'Registered');
  expect(app.status).toMatchObject({ clientID: 'app', observedGeneration: 1 });
  expect(conditionOf(app, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 1 });
  const named = await stage.reason('named', 'Ready', 'Registered');
  expect(named.status.clientID).toBe('https://example.com/app');
  await stage.reason('app', 'CredentialsReady', 'NoMethod');
  expect(stage.events).toEqual([]);
});

test('a suspended client keeps its client ID, and is Ready again when it is no longer suspended', async () => {
  stage = await ClientStage.open();
  await stage.create('app', { suspended: true });
  const suspended = await stage.reason('app', 'Ready', 'Suspended');
  expect(suspended.status.clientID).toBe('app');
  expect(conditionOf(suspended, 'Ready').status).toBe('False');
  await stage.patch('app', { spec: { suspended: false } });
  await stage.reason('app', 'Ready', 'Registered');
  await stage.patch('app', { spec: { suspended: true } });
  await stage.reason('app', 'Ready', 'Suspended');
});

describe('a client ID', () => {
  const shared = { clientID: 'shared' };

  test('belongs to who was there first, in whatever namespace; who lost it gets it when re-created alone', async () => {
    stage = await ClientStage.open();
    await stage.create('first', shared);
    await stage.reason('first', 'Ready', 'Registered');
    await stage.create('second', shared, stage.otherNamespace);
    const second = await stage.reason('second', 'Ready', 'ClientIDConflict', stage.otherNamespace);
    expect(second.status.clientID).toBeUndefined();
    await stage.idle();
    expect(stage.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual(['Warning ClientIDConflict']);
    await stage.api.delete(stage.ref('OAuthClient', 'first'));
    await stage.idle();
    await stage.api.patch(stage.ref('OAuthClient', 'second', stage.otherNamespace), 'merge', {
      metadata: { labels: { seen: 'again' } },
    });
    await stage.idle();
    await stage.reason('second', 'Ready', 'ClientIDConflict', stage.otherNamespace);
    await stage.api.delete(stage.ref('OAuthClient', 'second', stage.otherNamespace));
    await stage.create('second', shared, stage.otherNamespace);
    await stage.reason('second', 'Ready', 'Registered', stage.otherNamespace);
  });

  test('is held by exactly one of many that come at once', async () => {
    stage = await ClientStage.open({ started: false });
    const names = Array.from({ length: 12 }, (_, at) => `claimant-${at}`);
    await Promise.all(names.map((name) => stage.create(name, shared)));
    await stage.start();
    await stage.until(async () => {
      const reasons = await Promise.all(
        names.map(async (name) => conditionOf(await stage.get(name), 'Ready')?.reason),
      );
      expect(reasons.filter((reason) => reason === 'Registered')).toHaveLength(1);
      expect(reasons.filter((reason) => reason === 'ClientIDConflict')).toHaveLength(11);
    });
    expect(await holders(names)).toHaveLength(1);
  });

  test('that two hold after a restore stays with the older', async () => {
    stage = await ClientStage.open({ started: false });
    for (const name of ['older', 'younger']) {
      const created = await stage.create(name, shared);
      bodyOf(
        await stage.api.patch(
          created,
          'merge',
          { status: { clientID: 'shared' } },
          { subresource: 'status' },
        ),
      );
    }
    await stage.start();
    await stage.reason('younger', 'Ready', 'ClientIDConflict');
    expect(await holders(['older', 'younger'])).toEqual(['older']);
  });

  test('goes to the next where the first is deleted before it was asked', async () => {
    stage = await ClientStage.open({ started: false });
    await stage.create('first', shared);
    await stage.create('second', shared);
    await stage.api.delete(stage.ref('OAuthClient', 'first'));
    await stage.start();
    await stage.reason('second', 'Ready', 'Registered');
  });

  test('that somebody took out of the status is put back', async () => {
    stage = await ClientStage.open();
    const app = await stage.create('app');
    await stage.reason('app', 'Ready', 'Registered');
    await stage.reason('app', 'CredentialsReady', 'NoMethod');
    bodyOf(
      await stage.api.patch(
        app,
        'merge',
        { status: { clientID: null, conditions: null } },
        { subresource: 'status' },
      ),
    );
    await stage.until(async () => expect((await stage.get('app')).status.clientID).toBe('app'));
    await stage.reason('app', 'CredentialsReady', 'NoMethod');
  });
});

test('what the schema lets through and this configuration reserves gets no tokens', async () => {
  stage = await ClientStage.open();
  await stage.create('app', { insertTokenClaims: { 'https://example.com/owner': 'root' } });
  const app = await stage.reason('app', 'Ready', 'Suspended');
  expect(conditionOf(app, 'Ready').message).toContain('"https://example.com/owner"');
  await stage.patch('app', { spec: { insertTokenClaims: null } });
  await stage.reason('app', 'Ready', 'Registered');
});

test.each([
  ['before', 'outage', new ApiError('away', { status: 503 })],
  ['after', 'outage', new ApiError('away', { status: 503 })],
  ['before', 'conflict', new ApiError('changed', { status: 409, reason: 'Conflict' })],
  ['after', 'conflict', new ApiError('changed', { status: 409, reason: 'Conflict' })],
] as const)('a failure %s the status write (%s) is repaired', async (when, _, error) => {
  stage = await ClientStage.open();
  stage.faults.push({ call: 'updateStatus OAuthClient', when, error });
  await stage.create('app');
  await stage.reason('app', 'Ready', 'Registered');
  await stage.reason('app', 'CredentialsReady', 'NoMethod');
});

test('a restart writes nothing', async () => {
  stage = await ClientStage.open();
  await stage.create('app');
  await stage.create('lost', { clientID: 'app' });
  await stage.reason('lost', 'Ready', 'ClientIDConflict');
  await stage.reason('lost', 'CredentialsReady', 'NoMethod');
  await stage.reason('app', 'CredentialsReady', 'NoMethod');
  await stage.stop();
  stage.calls.length = 0;
  await stage.start();
  await stage.idle();
  expect(stage.calls).toEqual([]);
});
