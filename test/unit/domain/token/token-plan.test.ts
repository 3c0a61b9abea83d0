import { describe, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { TokenSpec, TokenStatus } from '../../../../operator/api/token.ts';
import { tokenId } from '../../../../operator/domain/token/declared-token.ts';
import { FakeToken, makeClient, makeToken, START, settings } from './fake-token.ts';

const UID = makeToken().metadata.uid;
const ready = (fake: FakeToken) => fake.status.conditions?.find(({ type }) => type === 'Ready');
const condition = (fake: FakeToken, type: string) =>
  fake.status.conditions?.find((item) => item.type === type);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const issued = async (
  spec: Partial<TokenSpec> = {},
  client: Partial<OAuthClient['spec']> = {},
): Promise<FakeToken> => {
  const fake = new FakeToken(makeToken(spec));
  fake.client = makeClient(client);
  await fake.reconcile();
  fake.writes = [];
  return fake;
};

describe('a fresh Token', () => {
  test('takes two writes, Secret then status, and then nothing', async () => {
    const fake = new FakeToken();
    await fake.reconcile();
    expect(fake.writes).toEqual([`secret reports ${tokenId(UID, 1)}`, 'status']);
    expect(ready(fake)).toMatchObject({ status: 'True', reason: 'Issued' });
    expect(fake.status).toMatchObject({
      id: tokenId(UID, 1),
      version: 1,
      issuance: 1,
      owner: 'alice',
      subject: 'alice',
      clientID: 'app',
      clientUID: 'client-1',
      keyID: 'key-1',
      issuedAt: '2026-01-01T00:00:00Z',
      expiration: '2026-01-01T01:00:00Z',
      secretRef: { name: 'reports' },
      observedGeneration: 1,
    });
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('takes the renew annotation that it came with as handled', async () => {
    const fake = new FakeToken();
    fake.annotate({ 'm2moauth.dev/renew': 'a' });
    await fake.reconcile();
    expect(fake.status.lastHandledRenew).toBe('a');
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('that is revoked from the start is blacklisted and never issued', async () => {
    const fake = new FakeToken(makeToken({ revoked: true }));
    await fake.reconcile();
    expect(fake.writes).toEqual(['status']);
    expect(ready(fake)).toMatchObject({ status: 'False', reason: 'Blacklisted' });
    expect(condition(fake, 'Stalled')).toMatchObject({ status: 'True' });
    expect((await fake.plan()).kind).toBe('wait');
  });
});

describe('rejections', () => {
  const rows: [string, string, (fake: FakeToken) => void][] = [
    ['no client', 'ClientNotFound', (w) => (w.client = undefined)],
    ['a client that holds no ID yet', 'ClientNotReady', (w) => (w.client = { ...makeClient(), status: {} })],
    [
      'a client without grant types',
      'ClientNotReady',
      (w) => (w.client = makeClient({ allowedGrantTypes: [] })),
    ],
    [
      'a client without owner',
      'ClientNotReady',
      (w) => {
        const { owner: _, ...spec } = makeClient().spec;
        w.client = { ...makeClient(), spec };
      },
    ],
    [
      'a client that sets a reserved claim',
      'ClientNotReady',
      (w) => (w.client = makeClient({ insertTokenClaims: { act: {} } })),
    ],
    ['a suspended client', 'ClientSuspended', (w) => (w.client = makeClient({ suspended: true }))],
    [
      'a namespace that the client does not allow',
      'NamespaceNotAllowed',
      (w) =>
        (w.client = makeClient({
          allowedNamespaces: { from: 'Selector', selector: { matchLabels: { a: 'b' } } },
        })),
    ],
    ['an audience where none is allowed', 'InvalidAudience', (w) => w.edit({ audience: ['x'] })],
    [
      'no audience where one has to be named',
      'InvalidAudience',
      (w) => (w.client = makeClient({ allowedAudiences: ['x'] })),
    ],
    ['a scope that is not allowed', 'InvalidScope', (w) => w.edit({ scope: ['read'] })],
    ['an expiration in the past', 'InvalidExpiration', (w) => w.edit({ expiration: '2025-12-31T23:59:59Z' })],
    [
      'an expiration beyond the maximum',
      'InvalidExpiration',
      (w) => w.edit({ expiration: '2026-01-01T01:00:10Z' }),
    ],
    [
      'an expiration after the year 9999',
      'InvalidExpiration',
      (w) => {
        w.client = makeClient({ accessTokenLifetime: '0s' });
        w.edit({ expiration: '9999-12-31T23:59:59-12:00' });
      },
    ],
    ['a lifetime beyond the maximum', 'InvalidExpiration', (w) => w.edit({ lifetime: '61m' })],
    ['a lifetime too short for Auto', 'InvalidExpiration', (w) => w.edit({ lifetime: '59s' })],
    [
      "a client's lifetime too short for Auto",
      'InvalidExpiration',
      (w) => (w.client = makeClient({ accessTokenLifetime: '30s' })),
    ],
    ['an unmanaged Secret', 'SecretConflict', (w) => w.putUnmanaged('reports')],
    ['no active key', 'SigningKeyNotReady', (w) => (w.activeKid = undefined)],
    ['a refused write', 'SecretRefused', (w) => (w.isOverQuota = true)],
    [
      'the Secret of a deleted Token of the same name',
      'Issuing',
      (w) => {
        w.putUnmanaged('reports');
        Object.assign(w.secrets.get('reports') ?? {}, { ofPredecessor: true });
      },
    ],
    [
      'a Secret that is going away',
      'Issuing',
      (w) => {
        w.putUnmanaged('reports');
        const secret = w.secrets.get('reports');
        if (secret) Object.assign(secret, { owned: true, terminating: true });
      },
    ],
  ];

  test.each(rows)('%s gives %s, writes status once and then waits', async (_, reason, arrange) => {
    const fake = new FakeToken();
    arrange(fake);
    await fake.reconcile();
    expect(fake.writes).toEqual(['status']);
    expect(ready(fake)).toMatchObject({ status: 'False', reason });
    expect(condition(fake, 'Stalled') !== undefined).toBe(reason === 'InvalidExpiration');
    fake.now += 1000;
    await fake.reconcile();
    expect(fake.writes).toEqual(['status']);
  });

  const whileValid = rows.filter(
    ([, reason]) => !['SecretConflict', 'Issuing', 'SigningKeyNotReady', 'SecretRefused'].includes(reason),
  );
  test.each(whileValid)('%s leaves a valid JWT alone until it expires (%s)', async (_, reason, arrange) => {
    const fake = await issued();
    arrange(fake);
    await fake.reconcile();
    expect(ready(fake)).toMatchObject({ status: 'False', reason });
    expect(fake.secrets.has('reports')).toBe(true);
    await fake.advance(HOUR);
    if (ready(fake)?.status === 'False') {
      expect(fake.secrets.has('reports')).toBe(false);
      expect(fake.status.secretRef).toBeUndefined();
    }
  });

  test('an expiration that comes into reach is issued by itself', async () => {
    const fake = new FakeToken(makeToken({ expiration: '2026-01-01T03:00:00Z' }));
    await fake.advance(2 * HOUR);
    expect(ready(fake)).toMatchObject({ status: 'True' });
    expect(fake.status.expiration).toBe('2026-01-01T03:00:00Z');
  });
});

describe('renewal', () => {
  test('happens between half and two thirds plus jitter, again and again, with an overlap until expiry', async () => {
    const fake = await issued();
    const first = Date.parse(fake.status.renewalTime ?? '') - START;
    expect(first).toBeLessThanOrEqual(40 * MINUTE);
    expect(first).toBeGreaterThanOrEqual(34 * MINUTE - 1000);
    await fake.advance(10 * HOUR);
    expect(fake.status.issuance).toBeGreaterThan(14);
    expect(fake.status.previous?.length).toBe(1);
    expect(ready(fake)?.status).toBe('True');
  });

  test.each([
    ['absent: until it expires', undefined, '2026-01-01T01:00:00Z'],
    ['5m: so long', '5m', '2026-01-01T00:15:00Z'],
    ['0s: not at all', '0s', undefined],
    ['2h: never beyond its own end', '2h', '2026-01-01T01:00:00Z'],
  ])('an overlap that is %s', async (_, overlap, expiration) => {
    const fake = await issued({ renewal: { ...(overlap !== undefined && { overlap }) } });
    fake.now += 10 * MINUTE;
    fake.annotate({ 'm2moauth.dev/renew': 'now' });
    await fake.reconcile();
    expect(fake.status.issuance).toBe(2);
    expect(fake.status.previous?.[0]?.expiration).toBe(expiration);
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('by annotation happens once for a value, however long', async () => {
    const fake = await issued();
    for (const [value, issuance] of [
      ['a', 2],
      ['a', 2],
      ['x'.repeat(5000), 3],
      [`${'x'.repeat(5000)}y`, 4],
    ] as const) {
      fake.annotate({ 'm2moauth.dev/renew': value });
      await fake.reconcile();
      await fake.reconcile();
      expect(fake.status.issuance).toBe(issuance);
    }
    expect(fake.status.lastHandledRenew?.length).toBe(50);
  });

  test('that fails leaves Ready alone while the JWT is valid, and makes it False after', async () => {
    const fake = await issued();
    fake.activeKid = undefined;
    await fake.advance(50 * MINUTE);
    expect(ready(fake)).toMatchObject({ status: 'True', reason: 'Issued' });
    expect(condition(fake, 'Renewing')).toMatchObject({ status: 'False', reason: 'SigningKeyNotReady' });
    await fake.advance(11 * MINUTE);
    expect(ready(fake)).toMatchObject({ status: 'False', reason: 'SigningKeyNotReady' });
    expect(fake.secrets.size).toBe(0);
    fake.activeKid = 'key-1';
    await fake.reconcile();
    expect(ready(fake)?.status).toBe('True');
    expect(condition(fake, 'Renewing')).toBeUndefined();
  });

  test('of a JWT without expiration at the retirement of its key leaves the old one valid for an hour', async () => {
    const fake = await issued({}, { accessTokenLifetime: '0s' });
    expect(fake.status.expiration).toBeUndefined();
    expect((await fake.plan()).requeueAt).toBeUndefined();
    fake.phases = new Map([
      ['key-1', 'Retired'],
      ['key-2', 'Active'],
    ]);
    fake.activeKid = 'key-2';
    await fake.reconcile();
    expect(fake.status.previous?.[0]).toMatchObject({ keyID: 'key-1', expiration: '2026-01-01T01:00:00Z' });
  });
});

describe('issued anew', () => {
  const changedRows: [string, (w: FakeToken) => void][] = [
    ['another token name', (w) => w.edit({ tokenName: 'other' })],
    ['another owner', (w) => (w.client = makeClient({ owner: 'bob', allowedScopes: ['a'] }))],
    [
      'more extra claims',
      (w) => (w.client = makeClient({ insertTokenClaims: { x: 1 }, allowedScopes: ['a'] })),
    ],
    ['fewer scopes', (w) => (w.client = makeClient())],
    ['a lower limit', (w) => (w.client = makeClient({ accessTokenLifetime: '30m', allowedScopes: ['a'] }))],
    ['an absolute expiration', (w) => w.edit({ expiration: '2026-01-01T00:59:00Z' })],
    ['another issuer URL', (w) => (w.settings = { ...settings, url: 'https://other.example' })],
  ];
  test.each(changedRows)('for %s, with ten minutes of overlap', async (_, change) => {
    const fake = await issued({}, { allowedScopes: ['a'] });
    change(fake);
    await fake.reconcile();
    expect(fake.status.issuance).toBe(2);
    expect(fake.status.previous).toMatchObject([{ expiration: '2026-01-01T00:10:00Z' }]);
    expect((await fake.plan()).kind).toBe('wait');
  });

  test.each<[string, (w: FakeToken) => unknown]>([
    ['labels and annotations', (w) => w.annotate({ team: 'x' })],
    ['the order of a set', (w) => w.edit({ scope: ['b', 'a'] })],
    [
      'a higher limit',
      (w) => (w.client = makeClient({ accessTokenLifetime: '2h', allowedScopes: ['a', 'b'] })),
    ],
    [
      'a suspension that came and went',
      async (w) => {
        w.client = makeClient({ suspended: true, allowedScopes: ['a', 'b'] });
        await w.reconcile();
        w.client = makeClient({ allowedScopes: ['a', 'b'] });
      },
    ],
    [
      'a retired key while the JWT lives',
      (w) => {
        w.phases = new Map([
          ['key-1', 'Retired'],
          ['key-2', 'Active'],
        ]);
        w.activeKid = 'key-2';
      },
    ],
    ['a clock that went back', (w) => (w.now -= HOUR)],
  ])('not for %s', async (_, change) => {
    const fake = await issued({ scope: ['a', 'b'] }, { allowedScopes: ['a', 'b'] });
    await change(fake);
    await fake.reconcile();
    expect(fake.status.issuance).toBe(1);
    expect(ready(fake)?.status).toBe('True');
    expect(fake.issued).toHaveLength(1);
  });

  test('without overlap for a compromised key, and without the earlier ones of that key', async () => {
    const fake = await issued();
    fake.annotate({ 'm2moauth.dev/renew': '1' });
    await fake.reconcile();
    fake.phases = new Map([
      ['key-1', 'Compromised'],
      ['key-2', 'Active'],
    ]);
    fake.activeKid = 'key-2';
    await fake.reconcile();
    expect(fake.status).toMatchObject({ issuance: 3, keyID: 'key-2' });
    expect(fake.status.previous).toBeUndefined();
  });

  test('without overlap for a client that was made anew', async () => {
    const fake = await issued();
    fake.client = undefined;
    await fake.reconcile();
    expect(ready(fake)?.reason).toBe('ClientNotFound');
    fake.client = makeClient({}, 'client-2');
    await fake.reconcile();
    expect(fake.status).toMatchObject({ issuance: 2, clientUID: 'client-2' });
    expect(fake.status.previous).toBeUndefined();
  });

  test('at most eight earlier ones are kept', async () => {
    const fake = await issued();
    for (let n = 0; n < 12; n += 1) {
      fake.annotate({ 'm2moauth.dev/renew': String(n) });
      fake.now += 1000;
      await fake.reconcile();
    }
    expect(fake.status.previous?.map(({ id }) => id)).toEqual(
      [5, 6, 7, 8, 9, 10, 11, 12].map((n) => tokenId(UID, n)),
    );
  });
});

describe('a Token whose JWT is asked for anew again and again', () => {
  const renew = (fake: FakeToken, value: number) => fake.annotate({ 'm2moauth.dev/renew': String(value) });
  const running = async (): Promise<FakeToken> => {
    const fake = await issued({}, { allowedScopes: ['a', 'b'] });
    fake.keepRunning();
    return fake;
  };

  test.each<[string, (fake: FakeToken, n: number) => void, object]>([
    ['by the annotation', renew, { Ready: 'True', Renewing: 'Issuing' }],
    [
      'by its claims',
      (fake, n) => fake.edit({ tokenName: `n${n}` }),
      { Ready: 'False', Renewing: undefined },
    ],
    [
      'by its expiration',
      (fake, n) => fake.edit({ expiration: `2026-01-01T00:4${n % 10}:00Z` }),
      { Ready: 'False', Renewing: undefined },
    ],
    [
      'by its client, back and forth',
      (fake, n) => (fake.client = makeClient({ allowedScopes: n % 2 === 0 ? ['a'] : ['a', 'b'] })),
      { Ready: 'False', Renewing: undefined },
    ],
    [
      'by a client that is made anew',
      (fake, n) => (fake.client = makeClient({}, `client-${n + 10}`)),
      { Ready: 'False', Renewing: undefined },
    ],
    [
      'by its Secret, deleted after a rotation',
      (fake) => {
        fake.secrets.clear();
        if (fake.token?.status) fake.setStatus({ ...fake.token.status, keyID: 'key-0' });
      },
      { Ready: 'False', Renewing: undefined },
    ],
  ])('gets five at once, then one in ten seconds: %s', async (_, ask, conditions) => {
    const fake = await running();
    fake.phases.set('key-0', 'Retired');
    for (let n = 0; n < 8; n += 1) {
      ask(fake, n);
      await fake.reconcile();
    }
    expect(fake.status.issuance).toBe(6);
    expect({ Ready: ready(fake)?.status, Renewing: condition(fake, 'Renewing')?.reason }).toEqual(conditions);
    const said = condition(fake, 'Renewing') ?? ready(fake);
    expect(said?.message).toContain('follows within 10 s');
    expect(await fake.reconcile()).toEqual({ kind: 'requeue', afterMs: 10_000 });

    fake.now += 10_000;
    await fake.reconcile();
    expect(fake.status.issuance).toBe(7);
    expect(ready(fake)).toMatchObject({ status: 'True', reason: 'Issued' });
    ask(fake, 8);
    ask(fake, 9);
    await fake.reconcile();
    expect(fake.status.issuance).toBe(7);
  });

  test.each<[string, (fake: FakeToken) => void]>([
    ['a new JWT', (fake) => fake.edit({ tokenName: 'other' })],
    ['a renewal', (fake) => renew(fake, 1)],
    ['the repair of a Secret', (fake) => fake.edit({ secret: { labels: { a: 'b' } } })],
  ])('uses up nothing while its Secret is refused, whose cause it names: %s', async (_, ask) => {
    const fake = await running();
    fake.isOverQuota = true;
    ask(fake);
    const waits: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      const result = await fake.reconcile();
      const afterMs = result.kind === 'requeue' ? result.afterMs : 0;
      waits.push(afterMs / 1000);
      const said = condition(fake, 'Renewing') ?? ready(fake);
      expect(said).toMatchObject({ status: 'False', reason: 'SecretRefused' });
      fake.now += afterMs;
    }
    expect(waits).toEqual([15, 15, 30, 60, 120, 240, 480]);
    fake.isOverQuota = false;
    await fake.reconcile();
    expect(ready(fake)).toMatchObject({ status: 'True', reason: 'Issued' });
    expect(condition(fake, 'Renewing')).toBeUndefined();
  });

  test.each<[string, (fake: FakeToken, n: number) => void]>([
    ['a new JWT', (fake, n) => fake.edit({ tokenName: `n${n}` })],
    ['a renewal', renew],
    ['the repair of a Secret', (fake, n) => fake.edit({ secret: { labels: { a: `${n}` } } })],
  ])('uses up nothing by attempts that fail, however quickly they follow: %s', async (_, ask) => {
    const fake = await running();
    fake.isOverQuota = true;
    for (let n = 0; n < 8; n += 1) {
      ask(fake, n);
      await fake.reconcile();
      expect(condition(fake, 'Renewing') ?? ready(fake)).toMatchObject({ reason: 'SecretRefused' });
    }
    fake.isOverQuota = false;
    await fake.reconcile();
    expect(ready(fake)).toMatchObject({ status: 'True', reason: 'Issued' });
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('names the cause of an attempt that failed, also while the next JWT is paced', async () => {
    const fake = await running();
    const failure = { reason: 'SecretRefused', message: 'quota' } as const;
    fake.edit({ tokenName: 'other' });
    const { status } = (await fake.plan(START + 5_000, failure)) as { status?: TokenStatus };
    expect(status?.conditions?.[0]).toMatchObject({ type: 'Ready', ...failure });
  });

  test('gets what was asked for last', async () => {
    const fake = await running();
    for (let n = 0; n < 50; n += 1) {
      fake.edit({ tokenName: `n${n}` });
      renew(fake, n);
      await fake.reconcile();
    }
    fake.now += 10_000;
    await fake.reconcile();
    expect(fake.status).toMatchObject({ issuance: 7, lastHandledRenew: '49' });
    expect(fake.issued.at(-1)?.claims.name).toBe('n49');
  });

  test('costs two writes for each JWT and one to say so, however often it is asked for', async () => {
    const fake = await running();
    for (let n = 0; n < 200; n += 1) {
      renew(fake, n);
      await fake.reconcile();
    }
    expect(fake.writes).toHaveLength(5 * 2 + 1);
  });

  const paced = START + 5_000;
  test.each<[string, (fake: FakeToken) => void, string]>([
    [
      'a fresh Token',
      (fake) => {
        fake.setStatus({});
        fake.secrets.clear();
        fake.now = START;
      },
      'NeverIssued',
    ],
    ['a renewal that is due', (fake) => (fake.now += 50 * MINUTE), 'Due'],
    [
      'a renewal that is due, with changed claims',
      (fake) => {
        fake.now += 50 * MINUTE;
        fake.edit({ tokenName: 'other' });
      },
      'ClaimsChanged',
    ],
    [
      'a compromised key',
      (fake) => {
        fake.phases = new Map([
          ['key-1', 'Compromised'],
          ['key-2', 'Active'],
        ]);
        fake.activeKid = 'key-2';
      },
      'KeyCompromised',
    ],
    [
      'a compromised key, and a client that was made anew',
      (fake) => {
        fake.phases = new Map([
          ['key-1', 'Compromised'],
          ['key-2', 'Active'],
        ]);
        fake.activeKid = 'key-2';
        fake.client = makeClient({}, 'client-2');
      },
      'ClientReplaced',
    ],
  ])('does not wait with %s', async (_, change, cause) => {
    const fake = await issued();
    change(fake);
    expect(await fake.plan(fake.now + paced)).toMatchObject({ kind: 'deliver', cause });
  });
});

describe('the Secret', () => {
  test('is put back as the same issuance when it is gone', async () => {
    const fake = await issued();
    fake.secrets.clear();
    fake.now += 5 * MINUTE;
    await fake.reconcile();
    expect(fake.writes).toEqual([`secret reports ${tokenId(UID, 1)}`]);
    expect(fake.issued[1]).toEqual(fake.issued[0]);
  });

  test('is restored when a user wrote into it, and the user’s other data stays', async () => {
    const fake = await issued();
    const secret = fake.secrets.get('reports');
    Object.assign(secret?.data ?? {}, { token: { own: false }, theirs: { own: false } });
    await fake.reconcile();
    expect(fake.writes).toEqual([`secret reports ${tokenId(UID, 1)}`]);
    expect(Object.keys(fake.secrets.get('reports')?.data ?? {}).sort()).toEqual(['theirs', 'token']);
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('gets its label back without another signature', async () => {
    const fake = await issued();
    const secret = fake.secrets.get('reports');
    if (secret) secret.labels = {};
    await fake.reconcile();
    expect(fake.writes).toEqual(['metadata reports']);
  });

  test('gets a new number when the key that signed it no longer signs', async () => {
    const fake = await issued();
    fake.phases = new Map([
      ['key-1', 'Retired'],
      ['key-2', 'Active'],
    ]);
    fake.activeKid = 'key-2';
    fake.secrets.clear();
    await fake.reconcile();
    expect(fake.status).toMatchObject({ issuance: 2, keyID: 'key-2' });
  });

  test('moves with spec.secret as the same issuance, and the old one goes', async () => {
    const fake = await issued();
    fake.edit({ secret: { name: 'elsewhere', key: 'jwt', labels: { a: 'b' } } });
    await fake.reconcile();
    expect(fake.writes).toEqual([`secret elsewhere ${tokenId(UID, 1)}`, 'delete reports', 'status']);
    expect(fake.status.secretRef).toEqual({ name: 'elsewhere' });
    expect([...fake.secrets.keys()]).toEqual(['elsewhere']);
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('keeps what others set in its metadata, however large, when it is renewed and when it is repaired', async () => {
    const theirs = { a: 'x'.repeat(100_000), b: 'short' };
    const fake = await issued({ secret: { annotations: { mine: 'y' } } });
    Object.assign(fake.secrets.get('reports') ?? {}, {
      annotations: { ...fake.secrets.get('reports')?.annotations, ...theirs },
      labels: { ...fake.secrets.get('reports')?.labels, theirs: 'l' },
    });
    expect((await fake.plan()).kind).toBe('wait');
    fake.annotate({ 'm2moauth.dev/renew': '1' });
    await fake.reconcile();
    expect(fake.status.issuance).toBe(2);
    expect(fake.secrets.get('reports')?.annotations).toMatchObject({ ...theirs, mine: 'y' });
    Object.assign(fake.secrets.get('reports')?.annotations ?? {}, { mine: 'changed' });
    await fake.reconcile();
    expect(fake.secrets.get('reports')?.annotations).toMatchObject({ ...theirs, mine: 'y' });
    expect(fake.secrets.get('reports')?.labels).toMatchObject({ theirs: 'l' });
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('gets long annotations whole, and one that was changed back', async () => {
    const long = 'x'.repeat(4096);
    const fake = await issued({ secret: { annotations: { long } } });
    const annotations = () => fake.secrets.get('reports')?.annotations ?? {};
    expect(annotations().long).toBe(long);
    expect((await fake.plan()).kind).toBe('wait');
    const own = fake.secrets.get('reports');
    Object.assign(own ?? {}, {
      annotations: { ...annotations(), long: `${long.slice(1)}y` },
      ownAnnotations: [],
    });
    await fake.reconcile();
    expect(annotations().long).toBe(long);
    fake.edit({ secret: { annotations: { long: 'z'.repeat(300) } } });
    await fake.reconcile();
    expect(annotations().long).toBe('z'.repeat(300));
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('is left alone where another manager has set the annotation that it asks for', async () => {
    const fake = await issued();
    Object.assign(fake.secrets.get('reports')?.annotations ?? {}, { shared: 'v' });
    fake.edit({ secret: { annotations: { shared: 'v' } } });
    await fake.reconcile();
    const before = fake.writes.length;
    await fake.reconcile();
    expect(fake.writes).toHaveLength(before);
    expect(fake.secrets.get('reports')?.annotations).toMatchObject({ shared: 'v' });
  });

  test('may carry no label or annotation in place of the operator’s own', async () => {
    const fake = new FakeToken(
      makeToken({
        secret: {
          labels: { 'app.kubernetes.io/managed-by': 'me' },
          annotations: { 'm2moauth.dev/token-id': 'x', 'm2moauth.dev/renew': 'x', mine: 'y' },
        },
      }),
    );
    await fake.reconcile();
    expect(fake.secrets.get('reports')).toMatchObject({
      labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator', 'm2moauth.dev/own-name': 'reports' },
      annotations: {
        'm2moauth.dev/token-id': tokenId(UID, 1),
        'm2moauth.dev/made-as': 'reports of Token reports',
        mine: 'y',
      },
    });
    expect((await fake.plan()).kind).toBe('wait');
  });
});

describe('the end', () => {
  test('a direct status patch blacklists: version grows, the Secret goes, the time stays', async () => {
    const fake = await issued();
    fake.setStatus({ ...fake.status, blacklisted: { flag: true, timestamp: '2026-01-01T00:00:30Z' } });
    await fake.reconcile();
    expect(fake.writes).toEqual(['status', 'delete reports']);
    expect(fake.status).toMatchObject({ version: 2, blacklisted: { timestamp: '2026-01-01T00:00:30Z' } });
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('spec.revoked blacklists, whatever else is wrong', async () => {
    const fake = await issued();
    fake.client = undefined;
    fake.edit({ revoked: true });
    await fake.reconcile();
    expect(fake.status.blacklisted).toEqual({ flag: true, timestamp: '2026-01-01T00:00:00Z' });
    expect(ready(fake)?.reason).toBe('Blacklisted');
    await fake.advance(48 * HOUR);
    expect(fake.status.issuance).toBe(1);
  });

  test.each<[string, Partial<TokenSpec>]>([
    ['policy Never', { renewal: { policy: 'Never' } }],
    ['an expiration', { expiration: '2026-01-01T00:30:00Z' }],
  ])('a Token with %s expires, and its Secret goes', async (_, spec) => {
    const fake = await issued(spec);
    await fake.advance(2 * HOUR);
    expect(fake.writes).toEqual(['delete reports', 'status']);
    expect(ready(fake)).toMatchObject({ status: 'False', reason: 'Expired' });
    expect(condition(fake, 'Stalled')).toMatchObject({ reason: 'Expired' });
  });

  test('a later expiration, or the annotation where there is none, brings an expired Token back', async () => {
    const fixed = await issued({ expiration: '2026-01-01T00:30:00Z' });
    await fixed.advance(HOUR);
    fixed.edit({ expiration: '2026-01-01T01:30:00Z' });
    await fixed.reconcile();
    expect(ready(fixed)?.status).toBe('True');
    const never = await issued({ renewal: { policy: 'Never' } });
    await never.advance(HOUR);
    never.annotate({ 'm2moauth.dev/renew': '1' });
    await never.reconcile();
    expect(never.status.issuance).toBe(2);
    expect(condition(never, 'Stalled')).toBeUndefined();
  });

  test('an expired Token is deleted after its time to live', async () => {
    const fake = await issued({ renewal: { policy: 'Never' }, ttlSecondsAfterExpired: 60 });
    await fake.advance(HOUR + 59_000);
    expect(fake.token).toBeDefined();
    await fake.advance(1000);
    expect(fake.writes).toEqual(['delete reports', 'status', 'delete Token']);
  });

  test('a Token that is being deleted is left alone', async () => {
    const fake = new FakeToken(makeToken({ revoked: true }, { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect(await fake.plan()).toMatchObject({ kind: 'wait', requeueAt: undefined });
  });
});

describe('after a crash between the Secret and the status', () => {
  const crashed = async (arrange: (w: FakeToken) => void = () => {}): Promise<FakeToken> => {
    const fake = new FakeToken();
    fake.budget = 1;
    await expect(fake.reconcile()).rejects.toThrow();
    fake.budget = Number.POSITIVE_INFINITY;
    fake.writes = [];
    fake.now += 5000;
    arrange(fake);
    return fake;
  };

  test('the issuance that is in the Secret is adopted with one write', async () => {
    const fake = await crashed();
    await fake.reconcile();
    expect(fake.writes).toEqual(['status']);
    expect(fake.status).toMatchObject({ issuance: 1, version: 1, issuedAt: '2026-01-01T00:00:00Z' });
    expect(ready(fake)?.status).toBe('True');
    expect((await fake.plan()).kind).toBe('wait');
  });

  test.each<[string, (w: FakeToken) => void]>([
    ['the spec has changed', (w) => w.edit({ tokenName: 'new' })],
    ['the Secret’s name has changed', (w) => w.edit({ secret: { name: 'b' }, tokenName: 'new' })],
    ['the client is another one', (w) => (w.client = makeClient({}, 'client-2'))],
  ])('it is adopted before anything else though %s', async (_, arrange) => {
    const fake = await crashed(arrange);
    expect(await fake.plan()).toMatchObject({ kind: 'adopt', status: { issuance: 1 } });
    await fake.reconcile();
    expect(fake.status).toMatchObject({ issuance: 2, version: 2 });
    expect((await fake.plan()).kind).toBe('wait');
  });

  test('it is adopted though the client is gone', async () => {
    const fake = await crashed((w) => (w.client = undefined));
    await fake.reconcile();
    expect(fake.status).toMatchObject({
      issuance: 1,
      clientUID: 'client-1',
      secretRef: { name: 'reports' },
    });
    expect(ready(fake)?.reason).toBe('ClientNotFound');
  });

  test('a Token revoked in between is blacklisted and its Secret removed', async () => {
    const fake = await crashed((w) => w.edit({ revoked: true }));
    await fake.reconcile();
    expect(fake.writes).toEqual(['status', 'delete reports']);
  });
});
