import { describe, expect, test } from '@jest/globals';
import {
  CLIENT_ASSERTION_TYPES,
  EXTERNAL_JWT_TYPES,
  isJwtTypeIn,
  jwtTypeOf,
} from '../../../../operator/domain/jwt/jwt-type.ts';

describe('the type of a JWT', () => {
  test.each<[unknown, object, string | undefined]>([
    [undefined, {}, 'jwt'],
    ['JWT', {}, 'jwt'],
    ['jwt', {}, 'jwt'],
    ['application/jwt', {}, 'jwt'],
    ['at+jwt', {}, 'at+jwt'],
    ['AT+JWT', {}, 'at+jwt'],
    ['application/at+jwt', {}, 'at+jwt'],
    ['Application/At+Jwt', {}, 'at+jwt'],
    ['application/x/at+jwt', {}, 'application/x/at+jwt'],
    ['text/at+jwt', {}, 'text/at+jwt'],
    ['logout+jwt', {}, 'logout+jwt'],
    ['JOSE', {}, 'jose'],
    ['', {}, ''],
    [null, {}, undefined],
    [1, {}, undefined],
    [['JWT'], {}, undefined],
    [undefined, { at_hash: 'x' }, 'id_token'],
    ['JWT', { c_hash: 'x' }, 'id_token'],
    ['JWT', { events: {} }, 'secevent+jwt'],
    ['JWT', { events: {}, at_hash: 'x' }, 'secevent+jwt'],
    ['at+jwt', { at_hash: 'x' }, 'at+jwt'],
    ['JWT', Object.create({ events: {} }), 'jwt'],
  ])('with typ %j and claims %j is %j', (typ, claims, type) => {
    expect(jwtTypeOf(typ, claims as Record<string, unknown>)).toBe(type);
  });
});

test.each([
  'id_token',
  'logout+jwt',
  'secevent+jwt',
  'dpop+jwt',
  'client-authentication+jwt',
  'authorization-grant+jwt',
  'token-introspection+jwt',
  'oauth-authz-req+jwt',
  'kb+jwt',
  'vc+sd-jwt',
  'jose',
  '',
])('%j is no type of an external JWT, unless it is added', (type) => {
  expect(isJwtTypeIn(type, EXTERNAL_JWT_TYPES)).toBe(false);
  expect(isJwtTypeIn(type, EXTERNAL_JWT_TYPES, ['other'])).toBe(false);
  expect(isJwtTypeIn(type, EXTERNAL_JWT_TYPES, [`application/${type.toUpperCase()}`])).toBe(true);
});

test.each(['jwt', 'at+jwt'])('%j is a type of an external JWT', (type) => {
  expect(isJwtTypeIn(type, EXTERNAL_JWT_TYPES)).toBe(true);
});

test.each([
  ['jwt', true],
  ['client-authentication+jwt', true],
  ['at+jwt', false],
  ['dpop+jwt', false],
])('%j of a client’s own assertion: %j', (type, isIn) => {
  expect(isJwtTypeIn(type, CLIENT_ASSERTION_TYPES)).toBe(isIn);
});
