import { describe, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { TokenStage } from './token-stage.ts';

const issued = async (): Promise<TokenStage> => {
  const stage = await TokenStage.open();
  await stage.client();
  await stage.create();
  await stage.token('Issued');
  await stage.clock.advance(60_000);
  stage.calls.length = 0;
  return stage;
};

const text = (value: string | undefined) => Buffer.from(value ?? '', 'base64').toString();

describe('a Secret that somebody writes to by server-side apply of stringData', () => {
  const applied = async (stringData: Record<string, string>) => {
    const stage = await issued();
    const before = await stage.jwt();
    bodyOf(
      await stage.api.apply({ ...stage.ref('Secret', 'reports'), stringData } as never, {
        query: { force: 'true' },
      }),
    );
    return Object.assign(stage, { before });
  };

  test('gets its JWT back, once; the other key stays through a renewal', async () => {
    await using stage = await applied({ token: 'evil', other: 'theirs' });
    await eventually(() => expect(stage.writes).toEqual(['update Secret reports']));
    await stage.idle();
    const { payload, secret } = await stage.jwt();
    expect(payload).toEqual(stage.before.payload);
    expect(text(secret.data.other)).toBe('theirs');

    stage.calls.length = 0;
    await stage.restart();
    await stage.idle();
    await stage.patch('Token', 'reports', { metadata: { labels: { looked: 'again' } } });
    await eventually(() => expect(stage.calls.length).toBeGreaterThan(1));
    await stage.idle();
    expect([...new Set(stage.calls)]).toEqual(['get Secret reports']);
    expect((await stage.get('Secret', 'reports'))?.metadata.resourceVersion).toBe(
      secret.metadata.resourceVersion,
    );

    await stage.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
    const token = await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    const renewed = await stage.jwt();
    expect(renewed.payload.jti).toBe(token.status.id);
    expect(text(renewed.secret.data.other)).toBe('theirs');
  });

  test('keeps a key that they add beside the JWT, through a renewal', async () => {
    await using stage = await applied({ other: 'theirs' });
    await stage.idle();
    expect(stage.writes).toEqual([]);
    await stage.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
    await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(text((await stage.jwt()).secret.data.other)).toBe('theirs');
  });
});
