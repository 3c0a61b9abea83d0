import { expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

/** Of one Token at once, after its first. */
const BURST = 5;
const names = Array.from({ length: 10 }, (_, at) => `flood-${at}`);

const annotate = async (env: TokenEnv, value: number): Promise<void> => {
  const annotations = { 'm2moauth.dev/renew': String(value) };
  await Promise.all(names.map((name) => env.patch('Token', name, { metadata: { annotations } })));
};

/** Waits until each has what is expected. What met a conflict is tried again by the clock, far within the ten seconds of a Token's pace. */
const each = (env: TokenEnv, look: (token: Awaited<ReturnType<TokenEnv['get']>>) => void): Promise<void> =>
  eventually(async () => {
    await env.clock.advance(10);
    for (const name of names) look(await env.get('Token', name));
  });

test('Tokens annotated in a tight loop get five JWTs at once, others are issued meanwhile, and the last value counts in the end', async () => {
  await using env = await TokenEnv.open();
  await env.client();
  await Promise.all(names.map((name) => env.create({}, name)));
  for (const name of names) await env.token('Issued', undefined, name);
  env.calls.length = 0;
  const secretWrites = () => env.writes.filter((call) => call.startsWith('update Secret flood-')).length;

  for (let value = 1; value <= BURST + 1; value += 1) {
    await annotate(env, value);
    await each(env, (token) => {
      const isPaced = conditionOf(token, 'Renewing')?.reason === 'Issuing';
      expect(isPaced || token?.status.lastHandledRenew === String(value)).toBe(true);
    });
  }
  await each(env, (token) => {
    expect(conditionOf(token, 'Renewing')?.message).toContain('follows within 10 s');
    expect(conditionOf(token, 'Ready')).toMatchObject({ status: 'True', reason: 'Issued' });
  });
  expect(secretWrites()).toBeLessThanOrEqual(names.length * BURST);

  const before = env.writes.length;
  for (let value = 10; value <= 30; value += 1) await annotate(env, value);
  await env.create({}, 'quiet');
  await env.token('Issued', undefined, 'quiet');
  expect(env.writes.slice(before)).toEqual(['create Secret quiet', 'updateStatus Token quiet']);

  await env.clock.advance(10_000);
  await each(env, (token) => {
    expect(token?.status.lastHandledRenew).toBe('30');
    expect(conditionOf(token, 'Renewing')).toBeUndefined();
  });
});
