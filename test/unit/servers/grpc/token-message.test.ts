import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Token } from '../../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { fitsValue, leavesOutClaims, tokenMessage } from '../../../../operator/servers/grpc/token-message.ts';
import { readMessage, writeMessage } from '../../../../operator/servers/grpc/wire.ts';
import { tokenRecord } from './server-env.ts';

const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 'innermost';
  for (let at = 0; at < depth; at += 1) value = wrap(value);
  return value;
};
const inObject = (inner: unknown) => ({ inner });
const inArray = (inner: unknown) => [inner];

test.each<[string, unknown]>([
  ['a text', 'text'],
  ['nothing', null],
  ['a truth', true],
  ['a number', -1.5],
  ['an empty object', {}],
  ['an object without prototype', Object.assign(Object.create(null), { a: 1 })],
  ['objects 30 deep', nested(30, inObject)],
  ['arrays 30 deep', nested(30, inArray)],
])('%s fits', (_name, value) => {
  expect(fitsValue(value)).toBe(true);
  const message = Token.fromPartial({ originalTokenClaims: value });
  expect(readMessage(Token, writeMessage(Token, message)).originalTokenClaims).toEqual(value);
});

test.each<[string, unknown]>([
  ['a bigint', { n: 1n }],
  ['a date', { at: new Date(0) }],
  ['undefined', { gone: undefined }],
  ['a function', { call: () => 1 }],
  ['a map', { map: new Map() }],
  ['no number', { n: Number.NaN }],
  ['an infinite number', [Number.POSITIVE_INFINITY]],
  ['objects 31 deep', nested(31, inObject)],
  ['arrays 31 deep', nested(31, inArray)],
  ['objects 10,000 deep', nested(10_000, inObject)],
])('%s does not fit', (_name, value) => {
  expect(fitsValue(value)).toBe(false);
});

/** The generated code can write a member of this name, and not read it; the server reads no claims. */
const isReadable = (value: unknown): boolean => !JSON.stringify(value).includes('__proto__');

test('whatever fits is read as it was written', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }).filter(isReadable), (value) => {
      expect(fitsValue(value)).toBe(true);
      const message = Token.fromPartial({ originalTokenClaims: value });
      const read = readMessage(Token, writeMessage(Token, message)).originalTokenClaims;
      expect(JSON.stringify(read)).toBe(JSON.stringify(value));
    }),
  );
});

test('a record without claims leaves out nothing', () => {
  expect(leavesOutClaims(tokenRecord('one'))).toBe(false);
  expect(tokenMessage(tokenRecord('one')).originalTokenClaims).toBeUndefined();
});

test('a record whose claims fit keeps them', () => {
  const record = tokenRecord('one', { originalTokenClaims: { a: 1 } });
  expect(leavesOutClaims(record)).toBe(false);
  expect(tokenMessage(record).originalTokenClaims).toEqual({ a: 1 });
});

test('a record whose claims do not fit goes without', () => {
  const record = tokenRecord('one', { originalTokenClaims: { a: 1n } });
  expect(leavesOutClaims(record)).toBe(true);
  expect(tokenMessage(record, true).originalTokenClaims).toBeUndefined();
});
