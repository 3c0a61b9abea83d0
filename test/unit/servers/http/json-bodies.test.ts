import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { objectOf } from '../../../../operator/servers/http/body.ts';
import { openServerEnv } from './server-env.ts';

/** JSON bodies may not repeat a member: of two, one parser takes the first and another the last. */

const REPEATED = [
  '{"grantType":"client_credentials","clientId":"a","clientId":"b"}',
  '{"grantType":"client_credentials","clientId":"a","client\\u0049d":"b"}',
  '{"grantType":"client_credentials","clientId":"a","x":{"clientId":"c"},"clientId":"b"}',
  '{"grantType":"client_credentials","unknown":1,"unknown":1}',
];

test.each(REPEATED)('%s gets no token', async (body) => {
  await using env = await openServerEnv();
  const response = await fetch(`${env.url}/api/v1/tokens`, { method: 'POST', body });
  expect([response.status, await response.json()]).toEqual([
    400,
    { code: 3, message: 'cannot create token: the body names a member more than once' },
  ]);
  expect(env.calls).toEqual([]);
});

test('nor does a form that the token endpoint reads', async () => {
  await using env = await openServerEnv();
  const response = await fetch(`${env.url}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"grant_type":"client_credentials","client_id":"a","client_id":"b"}',
  });
  expect([response.status, await response.json()]).toMatchObject([400, { error: 'invalid_request' }]);
  expect(env.calls).toEqual([]);
});

describe('an object', () => {
  test('whose members are named once is read, whatever they hold', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        expect(objectOf(JSON.stringify(object, null, 1))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
    );
  });

  test('with a repeated member is not, at any depth', () => {
    const member = fc.tuple(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(member), member, fc.jsonValue(), (others, [name, value], again) => {
        const texts = [...others, [name, value] as const, [name, again] as const].map(
          ([key, held]) => `${JSON.stringify(key)}: ${JSON.stringify(held)}`,
        );
        expect(() => objectOf(`{${texts.join(', ')}}`)).toThrow('more than once');
      }),
    );
  });
});
