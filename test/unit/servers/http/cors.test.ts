import { describe, expect, test } from '@jest/globals';
import { openServerEnv, type ServerEnv } from './server-env.ts';

/** Pages of other origins (Fetch standard, CORS protocol). */

const APP = 'https://app.example';
const PATHS = ['/oauth/token', '/api/v1/tokens', '/.well-known/jwks.json', '/api/v1/nothing', '/%zz'];

const ask = ({ url }: ServerEnv, path: string, origin: string | undefined, method = 'GET') =>
  fetch(`${url}${path}`, {
    method,
    headers: {
      ...(origin !== undefined && { origin }),
      ...(method === 'OPTIONS' && {
        'access-control-request-method': 'DELETE',
        'access-control-request-headers': 'authorization',
      }),
    },
  });

const corsOf = ({ headers }: Response): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'));

describe.each(PATHS)('%s', (path) => {
  test('says nothing to any origin where none is configured', async () => {
    await using env = await openServerEnv();
    for (const method of ['GET', 'OPTIONS']) {
      expect(corsOf(await ask(env, path, APP, method))).toEqual({});
    }
  });

  test('names an origin that is configured, and no other', async () => {
    await using env = await openServerEnv({}, { corsOrigins: [APP, 'https://b.example'] });
    expect(corsOf(await ask(env, path, APP))).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': APP,
    });
    for (const other of ['https://app.example.evil', 'null', undefined]) {
      expect(corsOf(await ask(env, path, other))).toEqual({ vary: 'Origin' });
    }
  });
});

test('a preflight of that origin gets what it may do', async () => {
  await using env = await openServerEnv({}, { corsOrigins: [APP] });
  const response = await ask(env, '/api/v1/tokens', APP, 'OPTIONS');
  expect([response.status, corsOf(response)]).toEqual([
    204,
    {
      vary: 'Origin',
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'DELETE, GET, HEAD, OPTIONS, POST',
      'access-control-allow-headers': 'authorization, content-type, accept',
      'access-control-max-age': '600',
    },
  ]);
  expect(corsOf(await ask(env, '/api/v1/tokens', 'https://other.example', 'OPTIONS'))).toEqual({
    vary: 'Origin',
  });
});

test('any origin may be let in, without cookies or other credentials of the browser', async () => {
  await using env = await openServerEnv({}, { corsOrigins: ['*'] });
  expect(corsOf(await ask(env, '/oauth/token', 'https://any.example'))).toEqual({
    vary: 'Origin',
    'access-control-allow-origin': 'https://any.example',
  });
});
