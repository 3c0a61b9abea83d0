import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import type { TokenBatch } from '../../../operator/api/token-batch.ts';
import {
  batchedRecordOf,
  batchNameFrom,
  batchNameOf,
  cachedTokenBatchOf,
  positionOf,
} from '../../../operator/domain/record/cached-token-batch.ts';
import { BatchDraft, batchOwnerLabel } from '../../../operator/domain/record/token-batch.ts';
import { createWriteBatch } from '../../../operator/issuer/recording/group-commit.ts';
import { createAgeCheck } from '../../../operator/issuer/recording/record-token.ts';
import { createRequestQueues } from '../../../operator/issuer/request-queues.ts';
import { createResourceClient, TOKEN_BATCHES } from '../../../operator/kube/resource-client.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import { bodyOf, type KubeObject } from '../../support/api.ts';
import { assertionClaims, JWT_BEARER, testSigner } from '../../support/assertions.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordedMetrics } from '../../support/quiet.ts';
import { ISSUER } from '../reconcilers/test-keyring.ts';
import { CreateTokenEnv, call, type Replica, requestOf } from './create-token-env.ts';

let env: CreateTokenEnv;
let replica: Replica;
let client: KubeObject;

beforeAll(async () => {
  env = await CreateTokenEnv.open();
  replica = await env.replica();
  await env.secret('credentials', { client_secret: 'first' });
  client = await env.client(
    'app',
    { clientSecret: { secretRef: { name: 'credentials' } } },
    { allowedAudiences: ['a'], allowedScopes: ['read', 'write'], recording: 'Batched' },
  );
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
});

const ask = (changes: object = {}) =>
  replica.createToken(requestOf('app', { clientSecret: 'first', audience: ['a'], ...changes }), call);

const stored = async (name: string): Promise<TokenBatch> =>
  bodyOf(
    await env.api.get({
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'TokenBatch',
      metadata: { name, namespace: env.namespace },
    }),
  ) as unknown as TokenBatch;

const creates = (): number =>
  replica.kube.metrics.calls.filter(([name, verb]) => name === 'apiRequest' && verb === 'create').length;

describe('tokens that are issued together', () => {
  test('are one object after one write, in which each says what its JWT says', async () => {
    const before = creates();
    const tokens = await Promise.all([
      ask({ scope: ['write'], tokenName: 'nightly' }),
      ask({ tokenName: 'a name, with spaces' }),
      ask({ scope: ['write'] }),
    ]);
    const names = new Set(tokens.map(({ id }) => batchNameOf(id)));
    expect(names.size).toBeLessThanOrEqual(2);
    expect(creates() - before).toBe(names.size);
    for (const { id, accessToken } of tokens) {
      const batch = await stored(batchNameOf(id));
      expect(batch.metadata.labels).toEqual({ [batchOwnerLabel('alice')]: '' });
      const claims = decodeJwt(accessToken);
      expect(claims.jti).toBe(id);
      expect(batchedRecordOf(cachedTokenBatchOf(batch), id)).toMatchObject({
        id,
        name: claims.name ?? '',
        owner: 'alice',
        subject: claims.sub,
        clientID: 'app',
        clientUID: client.metadata.uid,
        audience: ['a'],
        scope: String(claims.scope).split(' '),
        issuedAt: claims.iat,
        expiration: claims.exp,
        blacklistedAt: undefined,
      });
    }
    expect(replica.recorded()).toEqual([]);
  });

  test('come by the hundred in a few objects', async () => {
    const before = creates();
    const tokens = await Promise.all(Array.from({ length: 300 }, () => ask()));
    expect(new Set(tokens.map(({ id }) => id)).size).toBe(300);
    expect(creates() - before).toBeLessThanOrEqual(20);
    const byBatch = Map.groupBy(tokens, ({ id }) => batchNameOf(id));
    for (const [name, members] of byBatch) {
      const { spec } = await stored(name);
      expect(spec.count).toBe(members.length);
      expect(new Set(members.map(({ id }) => positionOf(id))).size).toBe(members.length);
    }
  });
});

test('a token for a client’s own assertion is an IssuedToken all the same', async () => {
  const signer = await testSigner();
  await env.client(
    'keyed',
    { privateKeyJWT: { jwks: { keys: [signer.publicJWK] } } },
    { recording: 'Batched' },
  );
  const assertion = await signer.sign(assertionClaims('keyed', ISSUER));
  const request = requestOf('keyed', { assertion, assertionType: JWT_BEARER });
  const { id } = await replica.createToken(request, call);
  expect(replica.recorded().map(({ metadata }) => metadata.name)).toContain(id);
  await expect(replica.createToken(request, call)).rejects.toMatchObject({ oauthCode: 'invalid_client' });
});

describe('a write without an answer', () => {
  const draft = () => {
    const one = new BatchDraft(batchNameFrom(randomUUID()), client as never, 'app');
    for (const at of [0, 1, 2]) {
      one.add({
        tokenName: `ä ${at}`,
        audience: ['a'],
        scope: [],
        owner: `owner-${at}`,
        subject: 's',
        issuedAt: 1_767_225_600,
        expiration: 1_767_229_200,
        keyID: 'k',
        originalTokenClaims: at === 1 ? { nested: { list: [1, null, { x: 1.5 }] }, empty: {} } : undefined,
      });
    }
    return one.build();
  };

  /** Writes while the answer of the first create is lost, after it was done or before. */
  const writeUnanswered = async (batch: ReturnType<typeof draft>, isDone: boolean) => {
    const batches = createResourceClient<TokenBatch>(replica.kube.client, TOKEN_BATCHES);
    const recorded: TokenBatch[] = [];
    let isFirst = true;
    const write = createWriteBatch({
      queue: createRequestQueues(recordedMetrics(), new FakeClock()).records,
      checkAge: createAgeCheck({ clock: new FakeClock(), settings: { backdateMs: 0 } }),
      batches: {
        ...batches,
        get: (...args) => batches.get(...args),
        create: async (object, options) => {
          if (isFirst && !isDone) {
            isFirst = false;
            throw new ApiError('no answer', { status: 0 });
          }
          const made = await batches.create(object, options);
          if (!isFirst) return made;
          isFirst = false;
          throw new ApiError('no answer', { status: 0 });
        },
      },
      onRecorded: (object) => void recorded.push(object),
      clock: systemClock,
    });
    await write(batch);
    return recorded;
  };

  test.each([
    ['was done', true],
    ['was not done', false],
  ])('and %s ends with the object there, once, as it was sent', async (_, isDone) => {
    const batch = draft();
    const [recorded] = await writeUnanswered(batch, isDone);
    expect(recorded?.metadata.uid).toBe((await stored(batch.metadata.name)).metadata.uid);
    expect(recorded?.spec).toEqual(batch.spec);
  });

  test('and finds another object under its name does not count as recorded', async () => {
    const [batch, other] = [draft(), draft()];
    await writeUnanswered({ ...other, metadata: batch.metadata, spec: { ...other.spec, count: 1 } }, true);
    await expect(writeUnanswered(batch, false)).rejects.toMatchObject({ code: 'Unavailable' });
  });
});
