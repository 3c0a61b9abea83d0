import { expect, test } from '@jest/globals';
import { createRemoteKeys } from '../../../../operator/issuer/authentication/remote-keys.ts';
import { readUnverifiedJwt } from '../../../../operator/issuer/authentication/unverified-jwt.ts';
import { testSigner } from '../../../support/assertions.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { atOnce, patient } from '../clients.ts';

test('keys that a namespace uses stay cached, however many sources the clients of another one have', async () => {
  const signer = await testSigner();
  const jwt = readUnverifiedJwt(await signer.sign({ sub: 'a' }));
  if (!jwt) throw new Error('unreadable');
  const fetched: string[] = [];
  const keys = createRemoteKeys({
    fetchJson: async (url) => {
      fetched.push(url);
      return { keys: [signer.publicJWK] };
    },
    findJwkProblem: () => undefined,
    isOwnKey: () => false,
    clock: new FakeClock(),
    log: recordedLog(),
  });
  const verify = (namespace: string, url: string) =>
    keys.verify(jwt, { kind: 'jwks', url }, { namespace, signal: patient, inTurn: atOnce });
  await verify('quiet', 'https://keys.example/quiet');
  for (let at = 0; at < 300; at++) await verify('many', `https://keys.example/${at}`);
  expect(await verify('quiet', 'https://keys.example/quiet')).toMatchObject({ claims: { sub: 'a' } });
  // Of its own, the other namespace has lost the ones that it used least recently.
  await verify('many', 'https://keys.example/299');
  await verify('many', 'https://keys.example/0');
  expect(fetched.filter((url) => url.endsWith('/quiet'))).toHaveLength(1);
  expect(fetched).toHaveLength(1 + 300 + 1);
});
