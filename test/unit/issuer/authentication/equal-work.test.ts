import { afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { sleep } from '../../../../operator/async/sleep.ts';
import type { ClientAuthentication } from '../../../../operator/issuer/authentication/client-authentication.ts';
import type { ClientCredentials } from '../../../../operator/issuer/use-cases.ts';
import { assertionClaims, JWT_BEARER, type TestSigner, testSigner } from '../../../support/assertions.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { type Authentication, clientWith, ISSUER, patient } from '../clients.ts';
import { testAuthentication } from './test-authentication.ts';

/**
 * What an attempt that fails costs, whether its client exists and whatever its method (spec §4): signatures that are verified, and
 * milliseconds that are waited. Work is counted, since time can't be measured reliably.
 */

const READ_MS = 5;
let signers: Readonly<Record<string, TestSigner>>;
let clock: FakeClock;
let authentication: ClientAuthentication;
let verified: jest.SpiedFunction<typeof crypto.subtle.verify>;

const SECRET: Authentication = { clientSecret: { secretRef: { name: 's', key: 'client_secret' } } };
const ACCOUNTS: Authentication = { serviceAccounts: [{ namespace: 'team', name: 'worker' }] };
const ISSUERS: Authentication = {
  trustedIssuers: [{ authority: 'https://idp.example.com', audience: 'us', ownerPrefix: '' }],
};
const keysOf = ({ publicJWK }: TestSigner): Authentication => ({
  privateKeyJWT: { jwks: { keys: [publicJWK] } } as never,
});

const named = (clientID: string, authenticationOf: Authentication, spec: object = {}): OAuthClient => {
  const client = clientWith(authenticationOf, spec);
  const metadata = { ...client.metadata, name: clientID, uid: `uid-${clientID}` };
  return { ...client, metadata, status: { clientID } };
};

beforeAll(async () => {
  const [ES256 = await testSigner(), RS256 = await testSigner(), ES512 = await testSigner()] =
    await Promise.all(['ES256', 'RS256', 'ES512'].map((algorithm) => testSigner(algorithm)));
  signers = { ES256, RS256, ES512, client: await testSigner() };
});

const signer = (name: string): TestSigner => {
  const found = signers[name];
  if (!found) throw new Error(`no signer ${name}`);
  return found;
};

beforeEach(async () => {
  clock = new FakeClock();
  authentication = testAuthentication({
    clients: [
      named('warm', SECRET),
      named('secret', SECRET),
      named('suspended', SECRET, { suspended: true }),
      named('bare', {}),
      named('none', undefined),
      named('keys', keysOf(signer('client'))),
      named('keys and secret', { ...SECRET, ...keysOf(signer('client')) }),
      named('suspended keys', keysOf(signer('client')), { suspended: true }),
      named('accounts', ACCOUNTS),
      named('issuers', ISSUERS),
    ],
    readSecret: async () => {
      await sleep(clock, READ_MS);
      return { data: { client_secret: Buffer.from('right').toString('base64') } } as never;
    },
    clock,
  });
  // What a read takes is known once one was made.
  await workOf({ clientID: 'warm', clientSecret: 'wrong' });
  verified = jest.spyOn(crypto.subtle, 'verify');
});
afterEach(() => {
  verified.mockRestore();
  authentication.stop();
});

/** Tries it, and counts the milliseconds until it is rejected. */
const workOf = async (changes: Partial<ClientCredentials>): Promise<number> => {
  const credentials = { clientID: '', clientSecret: '', assertionType: '', assertion: '', ...changes };
  let isDone = false;
  const attempt = Promise.resolve()
    .then(() => authentication.authenticateClient(credentials, { address: '192.0.2.1', signal: patient }))
    .finally(() => {
      isDone = true;
    });
  const rejected = expect(attempt).rejects.toMatchObject({ oauthCode: 'invalid_client' });
  // Signatures are verified by other threads.
  const until = performance.now() + 4000;
  let waitedMs = 0;
  while (!isDone && performance.now() < until) {
    const stepMs = clock.pending > 0 ? 1 : 0;
    waitedMs += stepMs;
    await clock.advance(stepMs);
  }
  await rejected;
  return waitedMs;
};

const CLIENTS = [
  'unknown',
  'secret',
  'suspended',
  'bare',
  'none',
  'keys',
  'keys and secret',
  'suspended keys',
  'accounts',
  'issuers',
];

test.each(CLIENTS)(
  'a wrong secret of the client "%s" is waited for as that of any other',
  async (clientID) => {
    const waits: number[] = [];
    for (const pauseMs of [0, 0, 500, 500, 10_001]) {
      await clock.advance(pauseMs);
      waits.push(await workOf({ clientID, clientSecret: 'wrong' }));
    }
    expect(waits).toEqual([READ_MS, 0, 0, READ_MS, READ_MS]);
    expect(verified).not.toHaveBeenCalled();
  },
);

const claims = (clientID: string, changes: object = {}) =>
  assertionClaims(clientID, ISSUER, {
    iat: Math.floor(clock.now() / 1000),
    exp: Math.floor(clock.now() / 1000) + 60,
    ...changes,
  });

const ASSERTIONS: readonly [string, number, (clientID: string) => Promise<string>][] = [
  ['by another key, without kid', 1, (id) => signer('ES256').sign(claims(id), { kid: undefined })],
  ['by another key, with its kid', 1, (id) => signer('ES256').sign(claims(id))],
  [
    'by another key, with the kid of the client’s',
    1,
    (id) => signer('ES256').sign(claims(id), { kid: signer('client').kid }),
  ],
  ['with an algorithm that the client has no key for', 1, (id) => signer('RS256').sign(claims(id))],
  ['with a slow algorithm', 1, (id) => signer('ES512').sign(claims(id))],
  ['that has expired', 0, (id) => signer('ES256').sign(claims(id, { exp: 1 }))],
  ['for another audience', 0, (id) => signer('ES256').sign(claims(id, { aud: 'https://other.example' }))],
  ['of another issuer', 0, (id) => signer('ES256').sign(claims(id, { iss: 'https://other.example' }))],
  ['that is no JWT', 0, async () => 'garbage'],
];

test.each(
  CLIENTS.flatMap((clientID) =>
    ASSERTIONS.map(([what, signatures, make]) => [what, clientID, signatures, make] as const),
  ),
)(
  'an assertion %s costs the same for the client "%s": %d signatures',
  async (_, clientID, signatures, make) => {
    const assertion = await make(clientID);
    expect(await workOf({ clientID, assertion, assertionType: JWT_BEARER })).toBe(0);
    expect(verified).toHaveBeenCalledTimes(signatures);
  },
);

test.each(CLIENTS)('an assertion of another type costs no more for the client "%s"', async (clientID) => {
  const assertion = await signer('ES256').sign(claims(clientID));
  expect(await workOf({ clientID, assertion, assertionType: 'other' })).toBe(0);
  expect(verified).not.toHaveBeenCalled();
});
