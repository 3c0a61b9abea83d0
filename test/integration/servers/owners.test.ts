import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bodyOf } from '../../support/api.ts';
import { type OpenIDProvider, startOpenIDProvider } from '../../support/assertions.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import { type Installation, install, token, waitForReason } from '../../support/installation.ts';
import {
  AUDIENCE,
  createToken,
  ISSUER,
  idOf,
  makeClient,
  payloadOf,
  type TestClient,
} from './oauth-clients.ts';
import { TokenModel } from './token-model.ts';

/** No owner sees or revokes another owner's tokens, and each call does what a plain model of the service does. */

let installation: Installation;
let namespaces: string[];
let provider: OpenIDProvider;
let grpc: GrpcClient;

beforeAll(async () => {
  installation = await install();
  namespaces = await Promise.all(['one', 'two'].map((name) => installation.api.createNamespace(name)));
  provider = await startOpenIDProvider();
  const { authority, https } = provider;
  const operator = await installation.operator({
    config: {
      outbound: { allowedCIDRs: ['127.0.0.0/8'] },
      authorization: { endpoints: [{ authority, audience: 'm2m', caFile: https.caFile }] },
    },
  });
  await operator.ready();
  grpc = await connectGrpc(operator);
}, 900_000);

afterAll(async () => {
  grpc?.close();
  await provider?.[Symbol.asyncDispose]();
  await installation?.close();
});

const nowSeconds = (): number => Math.floor(Date.now() / 1000);
const bearerOf = async (owner: string): Promise<string> =>
  `Bearer ${await provider.issue('m2m', { sub: owner, exp: nowSeconds() + 300 })}`;

/** An owner with a client in each namespace, each with records of another kind. */
interface Owner {
  readonly name: string;
  readonly clients: readonly TestClient[];
}

const makeOwner = async (): Promise<Owner> => {
  const name = `owner-${randomUUID()}`;
  const clients = await Promise.all(
    namespaces.map((namespace, at) =>
      makeClient(installation, namespace, {
        spec: { owner: name, recording: at === 0 ? 'PerToken' : 'Batched' },
      }),
    ),
  );
  return { name, clients };
};

const issueToken = async ({ clients }: Owner, at: number, expiration = 0): Promise<string> => {
  const client = clients[at % clients.length];
  if (!client) throw new Error('an owner needs a client');
  return idOf(await createToken(grpc, client, { expiration: BigInt(expiration) }));
};

/** A declared Token of the owner that was renewed once: its ids, the earlier one too. */
const declare = async ({ clients: [client] }: Owner): Promise<string[]> => {
  if (!client) throw new Error('an owner needs a client');
  const ref = token(`declared-${randomUUID()}`, client.namespace, {
    clientRef: { name: client.name },
    scope: [],
  });
  bodyOf(await installation.api.create(ref));
  const first = (await waitForReason(installation.api, ref, 'Issued')).status.id;
  bodyOf(
    await installation.api.patch(ref, 'merge', { metadata: { annotations: { 'm2moauth.dev/renew': 'x' } } }),
  );
  return eventually(
    async () => {
      const { status } = bodyOf(await installation.api.get(ref));
      if (status.id === first) throw new Error('it is not renewed yet');
      return [status.id, first];
    },
    { timeoutMs: 30_000 },
  );
};

const OWNERS = 3;
const population = fc.record({
  live: fc.array(fc.tuple(fc.nat(OWNERS - 1), fc.nat(1)), { maxLength: 8 }),
  expiring: fc.array(fc.tuple(fc.nat(OWNERS - 1), fc.nat(1)), { maxLength: 4 }),
  declared: fc.array(fc.nat(OWNERS - 1), { maxLength: 1 }),
});
const step = fc.record({
  owner: fc.nat(OWNERS - 1),
  call: fc.constantFrom('get', 'get', 'delete'),
  includeBlacklisted: fc.boolean(),
  /** Indexes into all ids of all owners; beyond them an id of no token. None = all of the owner's. */
  chosen: fc.option(fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }), { nil: [], freq: 3 }),
});

const isKnown = async (owner: Owner, ids: readonly string[]): Promise<void> => {
  const found = await grpc.getTokens(await bearerOf(owner.name), { idFilter: ids, includeBlacklisted: true });
  expect(found).toHaveLength(ids.length);
};

/** Makes the tokens of one round, and the model of them; those that are to expire have done so when it resolves. */
const populate = async (
  owners: readonly Owner[],
  { live, expiring, declared }: { live: number[][]; expiring: number[][]; declared: number[] },
): Promise<TokenModel> => {
  const model = new TokenModel();
  const ownerAt = (at = 0): Owner => owners[at] as Owner;
  const expiration = nowSeconds() + 2;
  await Promise.all([
    ...live.map(async ([at, client = 0]) => {
      const ids = [await issueToken(ownerAt(at), client)];
      model.add({ ids, owner: ownerAt(at).name, isExpired: false });
    }),
    ...expiring.map(async ([at, client = 0]) => {
      const ids = [await issueToken(ownerAt(at), client, expiration)];
      model.add({ ids, owner: ownerAt(at).name, isExpired: true });
    }),
    ...declared.map(async (at) => {
      const ids = await declare(ownerAt(at));
      await eventually(() => isKnown(ownerAt(at), ids));
      model.add({ ids, owner: ownerAt(at).name, isExpired: false });
    }),
  ]);
  if (expiring.length > 0) await eventually(() => nowSeconds() >= expiration);
  return model;
};

const act = async (
  model: TokenModel,
  owners: readonly Owner[],
  { owner: at, call, includeBlacklisted, chosen }: typeof step extends fc.Arbitrary<infer T> ? T : never,
): Promise<void> => {
  const ids = model.tokens.flatMap((known) => known.ids).sort();
  const filter = Array.from(
    chosen,
    (index: number) => ids[index] ?? `00000000-0000-4000-8000-0000000000${10 + index}`,
  );
  const owner = owners[at]?.name ?? '';
  const authorization = await bearerOf(owner);
  if (call === 'delete') {
    expect(await grpc.deleteTokens(authorization, filter)).toEqual(model.delete(owner, filter));
    return;
  }
  const found = await grpc.getTokens(authorization, { idFilter: filter, includeBlacklisted });
  // In the service's own order, which is that of ids.
  expect(found.map(({ id }) => id)).toEqual(model.get(owner, filter, includeBlacklisted));
  for (const message of found) {
    expect(message.owner).toBe(owner);
    const known = model.tokens.find(({ ids: its }) => its.includes(message.id));
    expect(message.blacklisted?.flag ?? false).toBe(known?.isBlacklisted);
  }
};

const ROUNDS = 40;
const AT_ONCE = 4;

test('random owners, ids and filters: every answer is the model’s', async () => {
  await Promise.all(
    Array.from({ length: AT_ONCE }, () =>
      fc.assert(
        fc.asyncProperty(population, fc.array(step, { minLength: 1, maxLength: 8 }), async (made, steps) => {
          const owners = await Promise.all(Array.from({ length: OWNERS }, makeOwner));
          const model = await populate(owners, made);
          for (const next of steps) await act(model, owners, next);
        }),
        { numRuns: ROUNDS / AT_ONCE, endOnFailure: true },
      ),
    ),
  );
}, 300_000);

test('an issued bearer sees its owner’s tokens of every client, and no other owner’s', async () => {
  const [mine, other] = await Promise.all([makeOwner(), makeOwner()]);
  const own = await Promise.all([0, 1, 1].map((at) => issueToken(mine, at)));
  const otherOwners = await issueToken(other, 0);
  const [client] = mine.clients;
  const { accessToken } = await grpc.createToken({
    grantType: 'client_credentials',
    clientId: client?.id ?? '',
    clientSecret: client?.secret ?? '',
    audience: [AUDIENCE, ISSUER],
  });
  const all = [...own, String(payloadOf(accessToken).jti)].sort();
  const bearer = `Bearer ${accessToken}`;
  expect((await grpc.getTokens(bearer)).map(({ id }) => id)).toEqual(all);
  expect(await grpc.getTokens(bearer, { idFilter: [otherOwners], includeBlacklisted: true })).toEqual([]);
  expect(await grpc.deleteTokens(bearer, [otherOwners])).toEqual({ blacklistedCount: 0n, deletedCount: 0n });
  expect(await grpc.deleteTokens(bearer, [])).toEqual({ blacklistedCount: 4n, deletedCount: 0n });
  expect(await rejectionOf(grpc.getTokens(bearer))).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(await grpc.getTokens(await bearerOf(other.name))).toHaveLength(1);
});

test('a trusted bearer without the owner claim is UNAUTHENTICATED; one for another audience is rejected', async () => {
  const ownerless = `Bearer ${await provider.issue('m2m', { sub: '', exp: nowSeconds() + 60 })}`;
  expect(await rejectionOf(grpc.getTokens(ownerless))).toMatchObject({ code: 'UNAUTHENTICATED' });
  const elsewhere = `Bearer ${await provider.issue('other', { sub: 'x', exp: nowSeconds() + 60 })}`;
  expect(await rejectionOf(grpc.deleteTokens(elsewhere, []))).toMatchObject({ code: 'UNAUTHENTICATED' });
});
