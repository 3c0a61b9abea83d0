import { describe, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { TokenSpec } from '../../../../operator/api/token.ts';
import { tokenId } from '../../../../operator/domain/token/token-id.ts';
import { makeClient, makeToken, START, settings, TokenWorld } from './token-world.ts';

const UID = makeToken().metadata.uid;
const ready = (world: TokenWorld) => world.status.conditions?.find(({ type }) => type === 'Ready');
const condition = (world: TokenWorld, type: string) =>
  world.status.conditions?.find((item) => item.type === type);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const issued = (spec: Partial<TokenSpec> = {}, client: Partial<OAuthClient['spec']> = {}): TokenWorld => {
  const world = new TokenWorld(makeToken(spec));
  world.client = makeClient(client);
  world.reconcile();
  world.writes = [];
  return world;
};

describe('a fresh Token', () => {
  test('takes two writes, Secret then status, and then nothing', () => {
    const world = new TokenWorld();
    world.reconcile();
    expect(world.writes).toEqual([`secret reports ${tokenId(UID, 1)}`, 'status']);
    expect(ready(world)).toMatchObject({ status: 'True', reason: 'Issued' });
    expect(world.status).toMatchObject({
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
    expect(world.plan().kind).toBe('wait');
  });

  test('takes the renew annotation that it came with as handled', () => {
    const world = new TokenWorld();
    world.annotate({ 'm2moauth.dev/renew': 'a' });
    world.reconcile();
    expect(world.status.lastHandledRenew).toBe('a');
    expect(world.plan().kind).toBe('wait');
  });

  test('that is revoked from the start is blacklisted and never issued', () => {
    const world = new TokenWorld(makeToken({ revoked: true }));
    world.reconcile();
    expect(world.writes).toEqual(['status']);
    expect(ready(world)).toMatchObject({ status: 'False', reason: 'Blacklisted' });
    expect(condition(world, 'Stalled')).toMatchObject({ status: 'True' });
    expect(world.plan().kind).toBe('wait');
  });
});

describe('refusals', () => {
  const rows: [string, string, (world: TokenWorld) => void][] = [
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
    ['somebody else’s Secret', 'SecretConflict', (w) => w.putForeign('reports')],
    ['no active key', 'SigningKeyNotReady', (w) => (w.activeKid = undefined)],
    ['a refused write', 'SecretRefused', (w) => (w.refuse = { reason: 'SecretRefused', message: 'quota' })],
    [
      'the Secret of a deleted Token of the same name',
      'Issuing',
      (w) => {
        w.putForeign('reports');
        Object.assign(w.secrets.get('reports') ?? {}, { ofPredecessor: true });
      },
    ],
    [
      'a Secret that is going away',
      'Issuing',
      (w) => {
        w.putForeign('reports');
        const secret = w.secrets.get('reports');
        if (secret) Object.assign(secret, { owned: true, terminating: true });
      },
    ],
  ];

  test.each(rows)('%s gives %s, writes status once and then waits', (_, reason, arrange) => {
    const world = new TokenWorld();
    arrange(world);
    world.reconcile();
    expect(world.writes).toEqual(['status']);
    expect(ready(world)).toMatchObject({ status: 'False', reason });
    expect(condition(world, 'Stalled') !== undefined).toBe(reason === 'InvalidExpiration');
    world.now += 1000;
    world.reconcile();
    expect(world.writes).toEqual(['status']);
  });

  const whileGood = rows.filter(
    ([, reason]) => !['SecretConflict', 'Issuing', 'SigningKeyNotReady', 'SecretRefused'].includes(reason),
  );
  test.each(whileGood)('%s leaves a good JWT alone until it expires (%s)', (_, reason, arrange) => {
    const world = issued();
    arrange(world);
    world.reconcile();
    expect(ready(world)).toMatchObject({ status: 'False', reason });
    expect(world.secrets.has('reports')).toBe(true);
    world.advance(HOUR);
    if (ready(world)?.status === 'False') {
      expect(world.secrets.has('reports')).toBe(false);
      expect(world.status.secretRef).toBeUndefined();
    }
  });

  test('an expiration that comes into reach is issued by itself', () => {
    const world = new TokenWorld(makeToken({ expiration: '2026-01-01T03:00:00Z' }));
    world.advance(2 * HOUR);
    expect(ready(world)).toMatchObject({ status: 'True' });
    expect(world.status.expiration).toBe('2026-01-01T03:00:00Z');
  });
});

describe('renewal', () => {
  test('happens between half and two thirds plus jitter, again and again, with an overlap until expiry', () => {
    const world = issued();
    const first = Date.parse(world.status.renewalTime ?? '') - START;
    expect(first).toBeLessThanOrEqual(40 * MINUTE);
    expect(first).toBeGreaterThanOrEqual(34 * MINUTE - 1000);
    world.advance(10 * HOUR);
    expect(world.status.issuance).toBeGreaterThan(14);
    expect(world.status.previous?.length).toBe(1);
    expect(ready(world)?.status).toBe('True');
  });

  test.each([
    ['absent: until it expires', undefined, '2026-01-01T01:00:00Z'],
    ['5m: so long', '5m', '2026-01-01T00:15:00Z'],
    ['0s: not at all', '0s', undefined],
    ['2h: never beyond its own end', '2h', '2026-01-01T01:00:00Z'],
  ])('an overlap that is %s', (_, overlap, expiration) => {
    const world = issued({ renewal: { ...(overlap !== undefined && { overlap }) } });
    world.now += 10 * MINUTE;
    world.annotate({ 'm2moauth.dev/renew': 'now' });
    world.reconcile();
    expect(world.status.issuance).toBe(2);
    expect(world.status.previous?.[0]?.expiration).toBe(expiration);
    expect(world.plan().kind).toBe('wait');
  });

  test('by annotation happens once for a value, however long', () => {
    const world = issued();
    for (const [value, issuance] of [
      ['a', 2],
      ['a', 2],
      ['x'.repeat(5000), 3],
      [`${'x'.repeat(5000)}y`, 4],
    ] as const) {
      world.annotate({ 'm2moauth.dev/renew': value });
      world.reconcile();
      world.reconcile();
      expect(world.status.issuance).toBe(issuance);
    }
    expect(world.status.lastHandledRenew?.length).toBe(50);
  });

  test('that fails leaves Ready alone while the JWT is good, and ends it after', () => {
    const world = issued();
    world.activeKid = undefined;
    world.advance(50 * MINUTE);
    expect(ready(world)).toMatchObject({ status: 'True', reason: 'Issued' });
    expect(condition(world, 'Renewing')).toMatchObject({ status: 'False', reason: 'SigningKeyNotReady' });
    world.advance(11 * MINUTE);
    expect(ready(world)).toMatchObject({ status: 'False', reason: 'SigningKeyNotReady' });
    expect(world.secrets.size).toBe(0);
    world.activeKid = 'key-1';
    world.reconcile();
    expect(ready(world)?.status).toBe('True');
    expect(condition(world, 'Renewing')).toBeUndefined();
  });

  test('of a JWT without expiration at the retirement of its key leaves the old one good for an hour', () => {
    const world = issued({}, { accessTokenLifetime: '0s' });
    expect(world.status.expiration).toBeUndefined();
    expect(world.plan().requeueAt).toBeUndefined();
    world.phases = new Map([
      ['key-1', 'Retired'],
      ['key-2', 'Active'],
    ]);
    world.activeKid = 'key-2';
    world.reconcile();
    expect(world.status.previous?.[0]).toMatchObject({ keyID: 'key-1', expiration: '2026-01-01T01:00:00Z' });
  });
});

describe('issued anew', () => {
  const changedRows: [string, (w: TokenWorld) => void][] = [
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
  test.each(changedRows)('for %s, with ten minutes of overlap', (_, change) => {
    const world = issued({}, { allowedScopes: ['a'] });
    change(world);
    world.reconcile();
    expect(world.status.issuance).toBe(2);
    expect(world.status.previous).toMatchObject([{ expiration: '2026-01-01T00:10:00Z' }]);
    expect(world.plan().kind).toBe('wait');
  });

  test.each<[string, (w: TokenWorld) => void]>([
    ['labels and annotations', (w) => w.annotate({ team: 'x' })],
    ['the order of a set', (w) => w.edit({ scope: ['b', 'a'] })],
    [
      'a higher limit',
      (w) => (w.client = makeClient({ accessTokenLifetime: '2h', allowedScopes: ['a', 'b'] })),
    ],
    [
      'a suspension that came and went',
      (w) => {
        w.client = makeClient({ suspended: true, allowedScopes: ['a', 'b'] });
        w.reconcile();
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
  ])('not for %s', (_, change) => {
    const world = issued({ scope: ['a', 'b'] }, { allowedScopes: ['a', 'b'] });
    change(world);
    world.reconcile();
    expect(world.status.issuance).toBe(1);
    expect(ready(world)?.status).toBe('True');
    expect(world.issued).toHaveLength(1);
  });

  test('without overlap for a compromised key, and without the earlier ones of that key', () => {
    const world = issued();
    world.annotate({ 'm2moauth.dev/renew': '1' });
    world.reconcile();
    world.phases = new Map([
      ['key-1', 'Compromised'],
      ['key-2', 'Active'],
    ]);
    world.activeKid = 'key-2';
    world.reconcile();
    expect(world.status).toMatchObject({ issuance: 3, keyID: 'key-2' });
    expect(world.status.previous).toBeUndefined();
  });

  test('without overlap for a client that was made anew', () => {
    const world = issued();
    world.client = undefined;
    world.reconcile();
    expect(ready(world)?.reason).toBe('ClientNotFound');
    world.client = makeClient({}, 'client-2');
    world.reconcile();
    expect(world.status).toMatchObject({ issuance: 2, clientUID: 'client-2' });
    expect(world.status.previous).toBeUndefined();
  });

  test('at most eight earlier ones are kept', () => {
    const world = issued();
    for (let n = 0; n < 12; n += 1) {
      world.annotate({ 'm2moauth.dev/renew': String(n) });
      world.now += 1000;
      world.reconcile();
    }
    expect(world.status.previous?.map(({ id }) => id)).toEqual(
      [5, 6, 7, 8, 9, 10, 11, 12].map((n) => tokenId(UID, n)),
    );
  });
});

describe('the Secret', () => {
  test('is put back as the same issuance when it is gone', () => {
    const world = issued();
    world.secrets.clear();
    world.now += 5 * MINUTE;
    world.reconcile();
    expect(world.writes).toEqual([`secret reports ${tokenId(UID, 1)}`]);
    expect(world.issued[1]).toEqual(world.issued[0]);
  });

  test('is put back when somebody wrote into it, and what else they put there stays', () => {
    const world = issued();
    const secret = world.secrets.get('reports');
    Object.assign(secret?.data ?? {}, { token: { own: false }, theirs: { own: false } });
    world.reconcile();
    expect(world.writes).toEqual([`secret reports ${tokenId(UID, 1)}`]);
    expect(Object.keys(world.secrets.get('reports')?.data ?? {}).sort()).toEqual(['theirs', 'token']);
    expect(world.plan().kind).toBe('wait');
  });

  test('gets its label back without another signature', () => {
    const world = issued();
    const secret = world.secrets.get('reports');
    if (secret) secret.labels = {};
    world.reconcile();
    expect(world.writes).toEqual(['dress reports']);
  });

  test('gets a new number when the key that signed it no longer signs', () => {
    const world = issued();
    world.phases = new Map([
      ['key-1', 'Retired'],
      ['key-2', 'Active'],
    ]);
    world.activeKid = 'key-2';
    world.secrets.clear();
    world.reconcile();
    expect(world.status).toMatchObject({ issuance: 2, keyID: 'key-2' });
  });

  test('moves with spec.secret as the same issuance, and the old one goes', () => {
    const world = issued();
    world.edit({ secret: { name: 'elsewhere', key: 'jwt', labels: { a: 'b' } } });
    world.reconcile();
    expect(world.writes).toEqual([`secret elsewhere ${tokenId(UID, 1)}`, 'delete reports', 'status']);
    expect(world.status.secretRef).toEqual({ name: 'elsewhere' });
    expect([...world.secrets.keys()]).toEqual(['elsewhere']);
    expect(world.plan().kind).toBe('wait');
  });

  test('may carry no label or annotation in place of the operator’s own', () => {
    const world = new TokenWorld(
      makeToken({
        secret: {
          labels: { 'app.kubernetes.io/managed-by': 'me' },
          annotations: { 'm2moauth.dev/token-id': 'x', 'm2moauth.dev/renew': 'x', mine: 'y' },
        },
      }),
    );
    world.reconcile();
    expect(world.secrets.get('reports')).toMatchObject({
      labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' },
      annotations: { 'm2moauth.dev/token-id': tokenId(UID, 1), mine: 'y' },
    });
    expect(world.plan().kind).toBe('wait');
  });
});

describe('the end', () => {
  test('a direct status patch blacklists: version grows, the Secret goes, the time stays', () => {
    const world = issued();
    world.setStatus({ ...world.status, blacklisted: { flag: true, timestamp: '2026-01-01T00:00:30Z' } });
    world.reconcile();
    expect(world.writes).toEqual(['status', 'delete reports']);
    expect(world.status).toMatchObject({ version: 2, blacklisted: { timestamp: '2026-01-01T00:00:30Z' } });
    expect(world.plan().kind).toBe('wait');
  });

  test('spec.revoked blacklists, whatever else is wrong', () => {
    const world = issued();
    world.client = undefined;
    world.edit({ revoked: true });
    world.reconcile();
    expect(world.status.blacklisted).toEqual({ flag: true, timestamp: '2026-01-01T00:00:00Z' });
    expect(ready(world)?.reason).toBe('Blacklisted');
    world.advance(48 * HOUR);
    expect(world.status.issuance).toBe(1);
  });

  test.each<[string, Partial<TokenSpec>]>([
    ['policy Never', { renewal: { policy: 'Never' } }],
    ['an expiration', { expiration: '2026-01-01T00:30:00Z' }],
  ])('a Token with %s expires, and its Secret goes', (_, spec) => {
    const world = issued(spec);
    world.advance(2 * HOUR);
    expect(world.writes).toEqual(['delete reports', 'status']);
    expect(ready(world)).toMatchObject({ status: 'False', reason: 'Expired' });
    expect(condition(world, 'Stalled')).toMatchObject({ reason: 'Expired' });
  });

  test('a later expiration, or the annotation where there is none, brings an expired Token back', () => {
    const fixed = issued({ expiration: '2026-01-01T00:30:00Z' });
    fixed.advance(HOUR);
    fixed.edit({ expiration: '2026-01-01T01:30:00Z' });
    fixed.reconcile();
    expect(ready(fixed)?.status).toBe('True');
    const never = issued({ renewal: { policy: 'Never' } });
    never.advance(HOUR);
    never.annotate({ 'm2moauth.dev/renew': '1' });
    never.reconcile();
    expect(never.status.issuance).toBe(2);
    expect(condition(never, 'Stalled')).toBeUndefined();
  });

  test('an expired Token is deleted after its time to live', () => {
    const world = issued({ renewal: { policy: 'Never' }, ttlSecondsAfterExpired: 60 });
    world.advance(HOUR + 59_000);
    expect(world.token).toBeDefined();
    world.advance(1000);
    expect(world.writes).toEqual(['delete reports', 'status', 'delete Token']);
  });

  test('a Token that is being deleted is left alone', () => {
    const world = new TokenWorld(makeToken({ revoked: true }, { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect(world.plan()).toMatchObject({ kind: 'wait', requeueAt: undefined });
  });
});

describe('after a crash between the Secret and the status', () => {
  const crashed = (arrange: (w: TokenWorld) => void = () => {}): TokenWorld => {
    const world = new TokenWorld();
    world.budget = 1;
    expect(() => world.reconcile()).toThrow();
    world.budget = Number.POSITIVE_INFINITY;
    world.writes = [];
    world.now += 5000;
    arrange(world);
    return world;
  };

  test('the issuance that is in the Secret is adopted with one write', () => {
    const world = crashed();
    world.reconcile();
    expect(world.writes).toEqual(['status']);
    expect(world.status).toMatchObject({ issuance: 1, version: 1, issuedAt: '2026-01-01T00:00:00Z' });
    expect(ready(world)?.status).toBe('True');
    expect(world.plan().kind).toBe('wait');
  });

  test.each<[string, (w: TokenWorld) => void]>([
    ['the spec has changed', (w) => w.edit({ tokenName: 'new' })],
    ['the Secret’s name has changed', (w) => w.edit({ secret: { name: 'b' }, tokenName: 'new' })],
    ['the client is another one', (w) => (w.client = makeClient({}, 'client-2'))],
  ])('it is adopted before anything else though %s', (_, arrange) => {
    const world = crashed(arrange);
    expect(world.plan()).toMatchObject({ kind: 'adopt', status: { issuance: 1 } });
    world.reconcile();
    expect(world.status).toMatchObject({ issuance: 2, version: 2 });
    expect(world.plan().kind).toBe('wait');
  });

  test('it is adopted though the client is gone', () => {
    const world = crashed((w) => (w.client = undefined));
    world.reconcile();
    expect(world.status).toMatchObject({
      issuance: 1,
      clientUID: 'client-1',
      secretRef: { name: 'reports' },
    });
    expect(ready(world)?.reason).toBe('ClientNotFound');
  });

  test('a Token revoked in between is blacklisted and its Secret removed', () => {
    const world = crashed((w) => w.edit({ revoked: true }));
    world.reconcile();
    expect(world.writes).toEqual(['status', 'delete reports']);
  });
});
