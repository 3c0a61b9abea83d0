import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { LAST_SECOND } from '../../../../operator/api/time.ts';
import {
  findGrantDenial,
  type GrantInput,
  grantOf,
} from '../../../../operator/domain/client/token-request.ts';
import { makeClient, settings } from '../token/fake-token.ts';

const NOW_MS = Date.UTC(2026, 0, 1) + 400;
const NOW = Math.floor(NOW_MS / 1000);

interface Asked {
  readonly spec?: Partial<OAuthClient['spec']>;
  readonly request?: Partial<GrantInput['request']>;
  readonly owner?: string;
}

const inputOf = ({ spec = {}, request = {}, owner }: Asked): GrantInput => ({
  request: { audience: ['a'], scope: [], expiration: 0, ...request },
  client: makeClient({ allowedAudiences: ['a', 'b'], allowedScopes: ['read', 'write'], ...spec }),
  owner,
  settings,
  now: NOW_MS,
});

const problemOf = (asked: Asked) => findGrantDenial(inputOf(asked));
const grantedTo = (asked: Asked) => {
  const denial = problemOf(asked);
  if (denial) throw new Error(denial.message);
  return grantOf(inputOf(asked));
};

describe('a request is rejected', () => {
  test.each<[string, Asked, string]>([
    ['without grant', { spec: { allowedGrantTypes: [] } }, 'unauthorized_client'],
    ['of a suspended client', { spec: { suspended: true } }, 'unauthorized_client'],
    [
      'whose client sets a reserved claim',
      { spec: { insertTokenClaims: { iss: 'x' } } },
      'unauthorized_client',
    ],
    [
      'whose client sets a number that can not be signed exactly',
      { spec: { insertTokenClaims: { tenant: 2 ** 53 } } },
      'unauthorized_client',
    ],
    ['without any owner', { spec: { owner: undefined } }, 'unauthorized_client'],
    ['for an expiration that is past', { request: { expiration: NOW - 1 } }, 'invalid_request'],
    ['for an expiration that is now', { request: { expiration: NOW } }, 'invalid_request'],
    ['for an expiration beyond the maximum', { request: { expiration: NOW + 3601 } }, 'invalid_request'],
    [
      'for a past expiration of an unbounded client',
      { spec: { accessTokenLifetime: '0s' }, request: { expiration: NOW } },
      'invalid_request',
    ],
    [
      'for an expiration that no time can say',
      { spec: { accessTokenLifetime: '0s' }, request: { expiration: LAST_SECOND + 1 } },
      'invalid_request',
    ],
    ['for an audience that is not allowed', { request: { audience: ['a', 'c'] } }, 'invalid_target'],
    ['without audience where the client allows some', { request: { audience: [] } }, 'invalid_target'],
    ['for an audience where none is allowed', { spec: { allowedAudiences: [] } }, 'invalid_target'],
    ['for an audience of no characters', { request: { audience: [''] } }, 'invalid_target'],
    ['for a scope that is not allowed', { request: { scope: ['read', 'admin'] } }, 'invalid_scope'],
    [
      'for a scope where none is allowed',
      { spec: { allowedScopes: undefined }, request: { scope: ['read'] } },
      'invalid_scope',
    ],
  ])('%s', (_name, asked, code) => {
    expect(problemOf(asked)?.code).toBe(code);
  });

  test('for the first reason in the order of the specification', () => {
    const wrong: Asked = { request: { expiration: 1, audience: ['c'], scope: ['admin'] } };
    expect(problemOf({ ...wrong, spec: { suspended: true } })?.code).toBe('unauthorized_client');
    expect(problemOf(wrong)?.code).toBe('invalid_request');
    expect(problemOf({ request: { ...wrong.request, expiration: 0 } })?.code).toBe('invalid_target');
  });

  test('in words that name what was asked for, in quotes and cut', () => {
    const audience = ['c\n', 'd'.repeat(500)];
    const message = problemOf({ request: { audience } })?.message ?? '';
    expect(message).toContain('"c\\n"');
    expect(message.length).toBeLessThan(200);
  });
});

describe('a request is granted', () => {
  test('the client’s maximum, all its scopes and its owner where nothing else is asked for', () => {
    expect(grantedTo({})).toEqual({
      owner: 'alice',
      audience: ['a'],
      scope: ['read', 'write'],
      expiration: NOW + 3600,
    });
  });

  test.each<[string, Asked, object]>([
    ['the maximum itself', { request: { expiration: NOW + 3600 } }, { expiration: NOW + 3600 }],
    ['the next second', { request: { expiration: NOW + 1 } }, { expiration: NOW + 1 }],
    ['the maximum where 0 is asked for', { request: { expiration: 0 } }, { expiration: NOW + 3600 }],
    [
      'the maximum where less than 0 is asked for',
      { request: { expiration: -1 } },
      { expiration: NOW + 3600 },
    ],
    [
      'no expiration to an unbounded client',
      { spec: { accessTokenLifetime: '0s' } },
      { expiration: undefined },
    ],
    [
      'any expiration to an unbounded client',
      { spec: { accessTokenLifetime: '0s' }, request: { expiration: LAST_SECOND } },
      { expiration: LAST_SECOND },
    ],
    [
      'no audience where none is allowed',
      { spec: { allowedAudiences: [] }, request: { audience: [] } },
      { audience: [] },
    ],
    ['each audience once', { request: { audience: ['b', 'a', 'b'] } }, { audience: ['b', 'a'] }],
    ['each scope once', { request: { scope: ['write', 'write'] } }, { scope: ['write'] }],
    [
      'the owner that an assertion gave',
      { spec: { owner: undefined }, owner: 'idp:bob' },
      { owner: 'idp:bob' },
    ],
    ['the assertion’s owner before the client’s', { owner: 'idp:bob' }, { owner: 'idp:bob' }],
  ])('%s', (_name, asked, granted) => {
    expect(grantedTo(asked)).toMatchObject(granted);
  });

  test('only what the client allows, whatever is asked for', () => {
    const some = fc.array(fc.constantFrom('a', 'b', 'c', 'read', 'write', 'admin'), { maxLength: 4 });
    fc.assert(
      fc.property(some, some, fc.integer({ min: -10, max: 8000 }), (audience, scope, ahead) => {
        const denial = problemOf({ request: { audience, scope, expiration: NOW + ahead } });
        const allowed =
          audience.length > 0 &&
          audience.every((value) => ['a', 'b'].includes(value)) &&
          scope.every((value) => ['read', 'write'].includes(value)) &&
          ahead > 0 &&
          ahead <= 3600;
        expect(denial === undefined).toBe(allowed);
      }),
    );
  });
});
