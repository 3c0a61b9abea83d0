import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  batchedId,
  batchedIdsOf,
  batchedRecordOf,
  batchNameFrom,
  batchNameOf,
  cachedTokenBatchOf,
  entryText,
  expiriesOf,
  isBatchedId,
  positionOf,
  readEntry,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import {
  BatchDraft,
  batchOwnerLabel,
  lifetimeClassOf,
} from '../../../../operator/domain/record/token-batch.ts';
import { BATCH, batchWith, contentWith, storedBatch, timeAt } from './batch-fixtures.ts';
import { BEGIN, CLIENT_UID, recordClient } from './issued-token-fixtures.ts';

describe('a jti', () => {
  test('is a UUID of version 8 that leads to its batch and its position', () => {
    fc.assert(
      fc.property(fc.uuid({ version: 4 }), fc.nat(255), (uuid, position) => {
        const name = batchNameFrom(uuid);
        const id = batchedId(name, position);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u);
        expect([isBatchedId(id), batchNameOf(id), positionOf(id)]).toEqual([true, name, position]);
      }),
    );
  });

  test.each([randomUUID(), '0b0e7d3a-5c1f-5f0e-9d2b-7c6a5b4c3d2e', '', 'x', '8'])(
    'that is %j is that of no batch',
    (id) => {
      expect(isBatchedId(id)).toBe(false);
    },
  );
});

describe('a record’s text', () => {
  test('says what went in', () => {
    const entry = fc.record({
      profile: fc.nat(255),
      issuedAt: fc.nat(),
      expiration: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
      name: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(fc.property(entry, (one) => expect(readEntry(entryText(one))).toEqual(one)));
  });

  test('is short', () => {
    expect(entryText({ profile: 0, issuedAt: 1, expiration: undefined, name: '' })).toBe('0 1 0');
    expect(entryText({ profile: 12, issuedAt: 1, expiration: 2, name: 'a b' })).toBe('12 1 2 a b');
  });
});

describe('a draft', () => {
  test('says each distinct profile once, and claims by position', () => {
    const claims = { sub: 'bob' };
    const { metadata, spec } = storedBatch([
      { expiresAt: 60, tokenName: 'a' },
      {
        expiresAt: 90,
        owner: 'bob',
        subject: 'b',
        audience: ['x'],
        scope: ['s'],
        originalTokenClaims: claims,
      },
      { expiresAt: 80 },
    ]);
    expect(metadata).toMatchObject({
      name: BATCH,
      namespace: 'n',
      labels: { [batchOwnerLabel('alice')]: '', [batchOwnerLabel('bob')]: '' },
    });
    expect(spec).toEqual({
      clientRef: { name: 'app' },
      clientID: 'app',
      clientUID: CLIENT_UID,
      count: 3,
      expiration: timeAt(90),
      profiles: [
        { owner: 'alice', subject: 'alice', keyID: 'k' },
        { owner: 'bob', subject: 'b', audience: ['x'], scope: ['s'], keyID: 'k' },
      ],
      tokens: [`0 ${BEGIN} ${BEGIN + 60} a`, `1 ${BEGIN} ${BEGIN + 90}`, `0 ${BEGIN} ${BEGIN + 80}`],
      originalTokenClaims: { 1: claims },
    });
  });

  test('of tokens that never expire says no expiration', () => {
    expect(storedBatch([{}, {}]).spec).not.toHaveProperty('expiration');
  });

  test('closes at 256 records', () => {
    const draft = new BatchDraft(BATCH, recordClient(), 'app');
    for (let position = 0; position < 256; position += 1) {
      expect(draft.add(contentWith())).toBe(batchedId(BATCH, position));
    }
    expect(draft.add(contentWith())).toBeUndefined();
    expect(draft.build().spec.count).toBe(256);
  });

  test('closes at 256 KiB, and takes one record of whatever size', () => {
    const originalTokenClaims = { text: 'é'.repeat(32 * 1024) };
    const draft = new BatchDraft(BATCH, recordClient(), 'app');
    let taken = 0;
    while (draft.add(contentWith({ originalTokenClaims })) !== undefined) taken += 1;
    expect(taken).toBe(3);
    expect(Buffer.byteLength(JSON.stringify(draft.build().spec))).toBeLessThan(257 * 1024);
    const large = new BatchDraft(BATCH, recordClient(), 'app');
    expect(large.add(contentWith({ originalTokenClaims: { text: 'x'.repeat(300_000) } }))).toBeDefined();
    expect(large.add(contentWith())).toBeUndefined();
  });

  test.each([
    ['hours with each other', 3600, 4000, true],
    ['an hour with two', 3600, 7200, false],
    ['a second with two', 1, 2, false],
  ])('%s', (_, one, other, isSame) => {
    const [a, b] = [one, other].map((expiresAt) => lifetimeClassOf(contentWith({ expiresAt })));
    expect(a === b).toBe(isSame);
    expect(lifetimeClassOf(contentWith())).not.toBe(a);
  });
});

describe('the records of a batch', () => {
  const claims = { sub: 'bob' };
  const batch = batchWith(
    [
      { expiresAt: 60, tokenName: 'a', audience: ['x'], scope: ['s'], originalTokenClaims: claims },
      { expiresAt: 90, owner: 'bob' },
      { expiresAt: 80 },
    ],
    { version: 2, blacklisted: { 1: timeAt(5) }, deleted: [2] },
  );

  test('say what their JWTs do', () => {
    expect(batchedRecordOf(batch, batchedId(BATCH, 0))).toEqual({
      id: batchedId(BATCH, 0),
      origin: { kind: 'TokenBatch', namespace: 'n', name: BATCH, uid: 'uid-of-batch' },
      state: 'Current',
      version: 0,
      name: 'a',
      owner: 'alice',
      subject: 'alice',
      clientID: 'app',
      client: 'n/app',
      clientUID: CLIENT_UID,
      keyID: 'k',
      audience: ['x'],
      scope: ['s'],
      issuedAt: BEGIN,
      expiration: BEGIN + 60,
      originalTokenClaims: claims,
      blacklistedAt: undefined,
    });
    expect(batchedRecordOf(batch, batchedId(BATCH, 1))).toMatchObject({
      version: 1,
      blacklistedAt: BEGIN + 5,
    });
  });

  test.each([
    ['deleted', batchedId(BATCH, 2)],
    ['beyond the last', batchedId(BATCH, 3)],
    ['of another batch', batchedId(batchNameFrom(randomUUID()), 0)],
    ['no position', `${BATCH.slice(0, 34)}zz`],
    ['half a position', `${BATCH.slice(0, 34)}0g`],
    ['more than a position', `${BATCH}0`],
    ['nothing', ''],
  ])('are not there where the id is %s', (_, id) => {
    expect(batchedRecordOf(batch, id)).toBeUndefined();
  });

  test('are listed without those that were deleted', () => {
    const termOf = (position: number) => {
      const record = batchedRecordOf(batch, batchedId(BATCH, position));
      return {
        position,
        keyID: record?.keyID,
        expiration: record?.expiration,
        blacklistedAt: record?.blacklistedAt,
        isRestored: false,
      };
    };
    expect(expiriesOf(batch)).toEqual([0, 1].map(termOf));
    expect([...batchedIdsOf(batch, 'alice')]).toEqual([batchedId(BATCH, 0)]);
    expect([...batchedIdsOf(batch, 'bob')]).toEqual([batchedId(BATCH, 1)]);
    expect([...batchedIdsOf(batch, 'carol')]).toEqual([]);
  });

  test('are blacklisted from the second 1 on, whatever time was written', () => {
    const odd = cachedTokenBatchOf(storedBatch([{}], { blacklisted: { 0: '1969-01-01T00:00:00Z' } }));
    expect(batchedRecordOf(odd, batchedId(BATCH, 0))?.blacklistedAt).toBe(1);
  });
});
