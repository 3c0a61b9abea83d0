import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { JWT_BEARER, serviceAccountToken, testSigner } from '../../support/assertions.ts';
import { ISSUER } from '../reconcilers/test-keyring.ts';
import { CreateTokenEnv, call, type Replica, requestOf } from './create-token-env.ts';

/** Clients that a flood names, with the wiring of the operator and a real API server that reviews tokens. */

const FLOOD = 400;
/** Where the flood comes from; {@link call} is from elsewhere. */
const THERE = { ...call, address: '198.51.100.1' };

let env: CreateTokenEnv;
let replica: Replica;

beforeAll(async () => {
  env = await CreateTokenEnv.open();
  replica = await env.replica();
  const { namespace } = env;
  await env.client('named', { serviceAccounts: [{ namespace, name: 'named' }] });
  await env.client('neighbor', { serviceAccounts: [{ namespace, name: 'neighbor' }] });
}, 120_000);
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
});

const tokenOf = (name: string): Promise<string> =>
  serviceAccountToken(env.api, { namespace: env.namespace, name }, [ISSUER]);
const create = (client: string, assertion: string, from: typeof call) =>
  replica.createToken(requestOf(client, { assertion, assertionType: JWT_BEARER }), from);

test('a flood of made-up ServiceAccount tokens that names a client delays neither it elsewhere nor others at the same address', async () => {
  const [own, neighbor, signer] = await Promise.all([tokenOf('named'), tokenOf('neighbor'), testSigner()]);
  const claims = JSON.parse(Buffer.from(own.split('.')[1] ?? '', 'base64url').toString());
  const madeUp = await Promise.all(
    Array.from({ length: FLOOD }, (_, at) => signer.sign({ ...claims, jti: `made-up-${at}` })),
  );
  let reviewed = 0;
  let dropped = 0;
  const flood = madeUp.map((assertion) =>
    create('named', assertion, THERE).catch(({ code }: { code: string }) => {
      if (code === 'Exhausted') dropped += 1;
      else reviewed += 1;
    }),
  );
  const honest = [create('named', own, call), create('neighbor', neighbor, THERE)];
  const reviewedBefore = await Promise.all(honest.map((token) => token.then(() => reviewed)));
  // At most 8 are reviewed at a time, and each that is answered makes room for another one.
  for (const count of reviewedBefore) expect(count).toBeLessThan(FLOOD / 4);
  await Promise.all(flood);
  expect(reviewed + dropped).toBe(FLOOD);
}, 60_000);
