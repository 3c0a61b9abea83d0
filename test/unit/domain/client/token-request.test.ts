import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findFormProblem, type TokenRequest } from '../../../../operator/domain/client/token-request.ts';

const valid: TokenRequest = {
  clientID: 'app',
  clientSecret: 'secret',
  assertionType: '',
  assertion: '',
  grantType: 'client_credentials',
  audience: ['https://api.example.com'],
  scope: ['read'],
  expiration: 0,
  tokenName: '',
};

const codeOf = (changes: Partial<TokenRequest>): string | undefined =>
  findFormProblem({ ...valid, ...changes })?.code;

describe('the shape of a token request', () => {
  test.each<[string, Partial<TokenRequest>]>([
    ['as most are', {}],
    [
      'with everything at its limit',
      {
        clientID: 'x'.repeat(253),
        clientSecret: 'x'.repeat(1024),
        assertion: 'x'.repeat(16_384),
        audience: Array.from({ length: 64 }, () => 'a'.repeat(512)),
        scope: Array.from({ length: 256 }, () => 's'.repeat(256)),
        tokenName: 'n'.repeat(253),
      },
    ],
    ['with an expiration that is not asked for', { expiration: -5 }],
    ['without audience and scope', { audience: [], scope: [] }],
  ])('%s has no problem', (_name, changes) => {
    expect(findFormProblem({ ...valid, ...changes })).toBeUndefined();
  });

  test.each<[string, Partial<TokenRequest>, string]>([
    ['no grant type', { grantType: '' }, 'unsupported_grant_type'],
    ['another grant type', { grantType: 'password' }, 'unsupported_grant_type'],
    ['the grant type in capitals', { grantType: 'CLIENT_CREDENTIALS' }, 'unsupported_grant_type'],
    [
      'another grant type, and a client ID beyond its limit',
      { grantType: 'x', clientID: 'x'.repeat(254) },
      'unsupported_grant_type',
    ],
    ['a client ID beyond its limit', { clientID: 'x'.repeat(254) }, 'malformed'],
    ['a secret beyond its limit', { clientSecret: 'x'.repeat(1025) }, 'malformed'],
    ['an assertion type beyond its limit', { assertionType: 'x'.repeat(257) }, 'malformed'],
    ['an assertion beyond its limit', { assertion: 'x'.repeat(16_385) }, 'malformed'],
    ['an audience beyond its limit', { audience: ['x'.repeat(513)] }, 'malformed'],
    ['too many audiences', { audience: Array.from({ length: 65 }, () => 'a') }, 'malformed'],
    ['a scope beyond its limit', { scope: ['x'.repeat(257)] }, 'malformed'],
    ['too many scopes', { scope: Array.from({ length: 257 }, () => 's') }, 'malformed'],
    ['a token name beyond its limit', { tokenName: 'x'.repeat(254) }, 'malformed'],
    ['half of a surrogate pair', { clientID: 'a\ud800' }, 'malformed'],
    ['half of a surrogate pair in an audience', { audience: ['\udc00'] }, 'malformed'],
    ['an expiration that is no number', { expiration: Number.NaN }, 'malformed'],
    ['an endless expiration', { expiration: Number.POSITIVE_INFINITY }, 'malformed'],
    ['a fraction of a second', { expiration: 1.5 }, 'malformed'],
    ['a control character in the token name', { tokenName: 'a\nb' }, 'invalid_request'],
  ])('%s is a problem', (_name, changes, code) => {
    expect(codeOf(changes)).toBe(code);
  });

  test('never repeats more than a few characters of what was sent, and no credential', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 400 }),
        fc.string({ minLength: 1025, maxLength: 1100 }),
        (grantType, clientSecret) => {
          const problem = findFormProblem({ ...valid, grantType, clientSecret });
          const message = problem?.message ?? '';
          expect(problem).toBeDefined();
          expect(message.length).toBeLessThan(600);
          expect(message).not.toContain(clientSecret);
        },
      ),
    );
  });
});
