import { afterEach, expect, test } from '@jest/globals';
import { formatReport } from '../../../operator/domain/client/limit-reports.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import { eventually } from '../../support/eventually.ts';
import { ClientEnv, conditionOf } from './client-env.ts';

let env: ClientEnv;
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

/** Reports that so many requests of the client `app` were rejected. */
const report = async (activeTokensExceeded: number): Promise<void> => {
  const { metadata } = await env.get('app');
  const since = env.clock.now() / 1000;
  env.rejected.set([
    formatReport([
      { client: `${env.namespace}/app`, uid: metadata.uid, since, rateExceeded: 0, activeTokensExceeded },
    ]),
  ]);
};
const limitMessage = async (): Promise<string | undefined> =>
  conditionOf(await env.get('app'), 'LimitReached')?.message;
const statusWrites = (): number => env.calls.filter((call) => call === 'updateStatus OAuthClient app').length;

test('what was rejected is a condition beside the others, written once a minute, which goes when nothing is rejected', async () => {
  env = await ClientEnv.open();
  await env.create('app');
  await env.reason('app', 'CredentialsReady', 'NoMethod');
  await env.idle();
  await report(3);
  await env.reason('app', 'LimitReached', 'ActiveTokensExceeded');
  await env.idle();
  const written = statusWrites();
  for (let more = 4; more < 20; more += 1) await report(more);
  await env.idle();
  expect(statusWrites()).toBe(written);
  expect(await limitMessage()).toContain(': 3 (3 by activeTokens)');
  await env.clock.advance(60_000);
  await eventually(async () => expect(await limitMessage()).toContain(': 19 (19 by activeTokens)'));
  expect(statusWrites()).toBe(written + 1);
  env.rejected.set([]);
  await env.idle();
  await env.clock.advance(60_000);
  await eventually(async () => expect(await limitMessage()).toBeUndefined());
  const { status } = await env.get('app');
  expect(status.conditions.map(({ type }: { type: string }) => type)).toEqual(['CredentialsReady', 'Ready']);
});

test('a conflict with the registration of the same client loses neither condition', async () => {
  env = await ClientEnv.open();
  await env.create('app');
  await env.reason('app', 'CredentialsReady', 'NoMethod');
  await env.idle();
  const error = new ApiError('409', { status: 409, reason: 'Conflict' });
  env.faults.push(
    { call: 'updateStatus OAuthClient', when: 'before', error },
    { call: 'updateStatus OAuthClient', when: 'before', error },
  );
  await report(1);
  await env.patch('app', { spec: { suspended: true } });
  await env.reason('app', 'Ready', 'Suspended');
  const { status } = await env.reason('app', 'LimitReached', 'ActiveTokensExceeded');
  expect(status.conditions.map(({ type, reason }: Record<string, string>) => `${type} ${reason}`)).toEqual([
    'CredentialsReady NoMethod',
    'LimitReached ActiveTokensExceeded',
    'Ready Suspended',
  ]);
  expect(env.faults).toEqual([]);
});
