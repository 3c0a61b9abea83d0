import { expect, test } from '@jest/globals';
import type { Secret } from '../../../../operator/ports/secrets.ts';
import type { Keyring } from '../../../../operator/ports/signing.ts';
import { readJwts } from '../../../../operator/reconcilers/token/token-observer.ts';

/** Takes any text that begins with `jwt` for one of ours. */
const keyring = {
  verify: async (text: string) => (text.startsWith('jwt') ? { kid: 'k', claims: { jti: text } } : undefined),
} as unknown as Keyring;

const secretOf = (data: Record<string, string>): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'n', uid: 'u', resourceVersion: '1', creationTimestamp: '' },
  data: Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  ),
});
const many = (value: string) =>
  Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`a${n}`, `${value}${n}`]));

test('the wanted key of a Secret is read though others stand before it', async () => {
  const jwts = await readJwts(secretOf({ ...many('theirs'), token: 'jwt-1' }), {
    preferredKeys: ['jwt', 'token'],
    keyring,
  });
  expect(jwts).toEqual([{ dataKey: 'token', kid: 'k', claims: { jti: 'jwt-1' } }]);
});

test('no more than sixteen keys are looked at, the wanted one first and once', async () => {
  const jwts = await readJwts(secretOf({ ...many('jwt'), token: 'jwt-1' }), {
    preferredKeys: ['jwt', 'token'],
    keyring,
  });
  expect(jwts.map(({ dataKey }) => dataKey)).toEqual([
    'token',
    ...Array.from({ length: 15 }, (_, n) => `a${n}`),
  ]);
});
