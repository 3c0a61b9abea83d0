import { describe, expect, test } from '@jest/globals';
import { isSkewAcceptable } from '../../../../operator/compose/health.ts';
import { MAX_CLOCK_SKEW_SECONDS } from '../../../../operator/domain/jwt/claims.ts';
import { findTimeFault, NOT_BEFORE_LEEWAY_SECONDS } from '../../../../operator/domain/jwt/jwt-checks.ts';

const NOW = 1_767_225_600;

describe('the times of a JWT', () => {
  test.each([
    ['nbf now', { nbf: NOW }, undefined],
    ['nbf ahead by the leeway', { nbf: NOW + 240 }, undefined],
    ['nbf ahead by more than the leeway', { nbf: NOW + 241 }, 'Expired'],
    ['nbf that is no number', { nbf: 'now' }, 'Expired'],
    ['exp in a second', { exp: NOW + 1 }, undefined],
    ['exp now', { exp: NOW }, 'Expired'],
    ['exp a second ago', { exp: NOW - 1 }, 'Expired'],
    ['neither', {}, undefined],
  ])('%s', (_name, claims, fault) => {
    expect(findTimeFault(claims, NOW * 1000)).toBe(fault);
  });

  test('what the most advanced ready replica issues is accepted by the one that is furthest behind', () => {
    const [ahead, behind] = [MAX_CLOCK_SKEW_SECONDS, -MAX_CLOCK_SKEW_SECONDS];
    expect([ahead, behind].every(isSkewAcceptable)).toBe(true);
    expect([ahead + 1, behind - 1].some(isSkewAcceptable)).toBe(false);
    expect(findTimeFault({ nbf: NOW + ahead }, (NOW + behind) * 1000)).toBeUndefined();
    expect(NOT_BEFORE_LEEWAY_SECONDS).toBe(ahead - behind);
  });
});
