import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { ClientAuthentication } from '../../../../operator/issuer/authentication/client-authentication.ts';
import { assertionClaims, JWT_BEARER, type TestSigner, testSigner } from '../../../support/assertions.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { clientWith, ISSUER, patient } from '../clients.ts';
import { testAuthentication } from './test-authentication.ts';

/** Checks of signatures at a time, of all callers (issuer/request-queues.ts). */
const AT_ONCE = 16;

let clock: FakeClock;
let signer: TestSigner;
let authentication: ClientAuthentication;
let verified: jest.SpiedFunction<typeof crypto.subtle.verify>;
/** Ends the oldest check that goes on. */
let endCheck: () => void;

const claims = () => {
  const now = Math.floor(clock.now() / 1000);
  return assertionClaims('app', ISSUER, { iat: now, exp: now + 60 });
};

const attempt = (assertion: string, address: string) =>
  authentication.authenticateClient(
    { clientID: 'app', clientSecret: '', assertionType: JWT_BEARER, assertion },
    { address, signal: patient },
  );

/** What was signed, of each check that was begun. */
const checked = (): string[] =>
  verified.mock.calls.map(([, , , signed]) => String(Buffer.from(signed as Uint8Array)));

beforeEach(async () => {
  clock = new FakeClock();
  signer = await testSigner();
  const client = clientWith({ privateKeyJWT: { jwks: { keys: [signer.publicJWK] } } as never });
  authentication = testAuthentication({ clients: [client], clock });
  // The key is imported by the first check.
  await attempt(await signer.sign(claims()), '192.0.2.1');
  const ends: (() => void)[] = [];
  endCheck = () => ends.shift()?.();
  verified = jest.spyOn(crypto.subtle, 'verify');
  verified.mockImplementation(() => new Promise((resolve) => ends.push(() => resolve(true))));
});
afterEach(() => {
  verified.mockRestore();
  authentication.stop();
});

test('signatures of assertions are checked in turn though no attempt has failed: a flood from one address delays no other', async () => {
  const [flooding, honest] = await Promise.all([signer.sign(claims()), signer.sign(claims())]);
  const flood = Array.from({ length: 3 * AT_ONCE }, () => attempt(flooding, '192.0.2.1'));
  await settle();
  expect(verified).toHaveBeenCalledTimes(AT_ONCE);
  const other = attempt(honest, '192.0.2.2');
  await settle();
  endCheck();
  await settle();
  expect(verified).toHaveBeenCalledTimes(AT_ONCE + 1);
  expect(honest).toContain(checked().at(-1));
  for (const _ of [...flood, other]) {
    endCheck();
    await settle();
  }
  expect(await Promise.all([...flood, other])).toHaveLength(flood.length + 1);
});
