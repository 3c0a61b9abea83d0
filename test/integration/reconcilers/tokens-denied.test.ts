import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { eventually } from '../../support/eventually.ts';
import type { Fault } from './guarded-client.ts';
import { conditionOf, TokenStage } from './token-stage.ts';

const DENIED: Fault = {
  call: 'delete Secret',
  when: 'before',
  error: new ApiError('denied', { status: 403, reason: 'Forbidden' }),
};

/** An issued Token whose Secrets the operator may not delete. */
const denied = async (spec: Record<string, unknown> = {}): Promise<TokenStage> => {
  const stage = await TokenStage.open();
  await stage.client();
  await stage.create(spec);
  await stage.token('Issued');
  stage.faults.push(...Array.from({ length: 1000 }, () => DENIED));
  stage.calls.length = 0;
  return stage;
};

/** Lets several retries pass. */
const insist = async (stage: TokenStage): Promise<void> => {
  const target = stage.faults.length - 4;
  await eventually(async () => {
    await stage.clock.advance(1_000);
    await stage.idle();
    expect(stage.faults.length).toBeLessThan(target);
  });
};

const allow = async (stage: TokenStage, look: () => Promise<void>): Promise<void> => {
  stage.faults.length = 0;
  await eventually(async () => {
    await stage.clock.advance(10_000);
    await stage.idle();
    await look();
  });
};

describe('where Secrets can’t be deleted, the status says so all the same, once', () => {
  test('that a Token has expired, and where its Secret still is', async () => {
    await using stage = await denied({ renewal: { policy: 'Never' } });
    await stage.clock.advance(3_600_000);
    const token = await stage.token('Expired');
    expect(token.status).toMatchObject({ version: 2, secretRef: { name: 'reports' } });
    await insist(stage);
    expect(stage.writes).toEqual(['updateStatus Token reports']);
    expect(stage.events.map(({ reason }) => reason)).toEqual(['Issued', 'Expired']);
    await allow(stage, async () => expect(await stage.get('Secret', 'reports')).toBeUndefined());
    const after = await stage.token('Expired');
    expect(after.status).not.toHaveProperty('secretRef');
    expect(after.status.version).toBe(3);
  });

  test.each([
    ['', {}],
    [', though its Secret lost its label', { labels: { 'app.kubernetes.io/managed-by': null } }],
  ])('that a Token is blacklisted%s', async (_, metadata) => {
    await using stage = await denied();
    await stage.stop();
    await stage.patch('Secret', 'reports', { metadata });
    await stage.patch('Token', 'reports', { spec: { revoked: true } });
    await stage.start();
    const token = await stage.token('Blacklisted');
    expect(token.status).toMatchObject({ version: 2, blacklisted: { flag: true } });
    await insist(stage);
    expect(stage.writes).toEqual(['updateStatus Token reports']);
    expect(stage.events.at(-1)?.reason).toBe('Blacklisted');
    await allow(stage, async () => expect(await stage.get('Secret', 'reports')).toBeUndefined());
  });

  test('that a refused Token’s JWT is over', async () => {
    await using stage = await denied();
    await stage.patch('OAuthClient', 'app', { spec: { suspended: true } });
    await stage.token('ClientSuspended');
    await stage.clock.advance(3_600_000);
    await eventually(async () =>
      expect((await stage.get('Token', 'reports'))?.status).not.toHaveProperty('renewalTime'),
    );
    await insist(stage);
    expect(stage.writes).toHaveLength(2);
    await allow(stage, async () => expect(await stage.get('Secret', 'reports')).toBeUndefined());
  });

  test('that a JWT was issued into another Secret', async () => {
    await using stage = await denied();
    await stage.patch('Token', 'reports', { spec: { tokenName: 'other', secret: { name: 'elsewhere' } } });
    const token = await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.secretRef.name).toBe('reports');
    expect((await stage.jwt('elsewhere')).payload.jti).toBe(token.status.id);
    await insist(stage);
    expect(stage.writes).toEqual(['create Secret elsewhere', 'updateStatus Token reports']);
    await allow(stage, async () => expect(await stage.get('Secret', 'reports')).toBeUndefined());
    const after = await stage.token('Issued', (now) => expect(now.secretRef.name).toBe('elsewhere'));
    expect(after.status.issuance).toBe(2);
    expect(conditionOf(after, 'Ready')?.status).toBe('True');
  });
});
