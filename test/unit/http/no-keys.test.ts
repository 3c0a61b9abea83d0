import { expect, test } from '@jest/globals';
import { openStage, TestKeys } from './stage.ts';

test.each(['/.well-known/jwks.json', '/.well-known/openid-configuration'])(
  '%s is not there before there are keys: nobody is to keep an empty set',
  async (path) => {
    const keys = new TestKeys();
    keys.known = false;
    await using stage = await openStage({}, { keys });
    const before = await fetch(`${stage.url}${path}`);
    expect([before.status, before.headers.get('cache-control')]).toEqual([503, 'no-store']);
    keys.known = true;
    expect((await fetch(`${stage.url}${path}`)).status).toBe(200);
  },
);
