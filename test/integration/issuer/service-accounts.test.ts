import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createReviewToken } from '../../../operator/kube/token-reviews.ts';
import { bodyOf } from '../../support/api.ts';
import { JWT_BEARER, serviceAccountToken, testSigner } from '../../support/assertions.ts';
import { eventually } from '../../support/eventually.ts';
import { ISSUER } from '../reconcilers/test-keyring.ts';
import { CreateTokenEnv, call, type Replica, requestOf } from './create-token-env.ts';

let env: CreateTokenEnv;
let replica: Replica;

beforeAll(async () => {
  env = await CreateTokenEnv.open();
  replica = await env.replica();
  const { namespace } = env;
  const serviceAccounts = ['worker', 'leaving'].map((name) => ({ namespace, name }));
  await env.client('workload', { serviceAccounts });
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
});

const tokenOf = (name: string, audiences: readonly string[] = [ISSUER]) =>
  serviceAccountToken(env.api, { namespace: env.namespace, name }, audiences);
const create = (assertion: string, by = replica) =>
  by.createToken(requestOf('workload', { assertion, assertionType: JWT_BEARER }), call);
const reviews = () =>
  replica.kube.metrics.calls.filter(([name, verb]) => name === 'apiRequest' && verb === 'create');

describe('a projected ServiceAccount token', () => {
  test('proves its client: the subject is its user name, the owner the client’s', async () => {
    await create(await tokenOf('worker'));
    expect(replica.recorded().at(-1)).toMatchObject({
      owner: 'alice',
      subject: `system:serviceaccount:${env.namespace}:worker`,
    });
  });

  test('is reviewed once in a while, and each token is one write', async () => {
    const token = await tokenOf('worker');
    await create(token);
    const before = reviews().length;
    await create(token);
    expect(reviews()).toHaveLength(before + 1);
  });

  test.each<[string, () => Promise<string>]>([
    ['the API server’s own audience', () => tokenOf('worker', [])],
    ['another audience', () => tokenOf('worker', ['https://other.example'])],
    ['another ServiceAccount', () => tokenOf('other')],
  ])('for %s is rejected without a review', async (_name, make) => {
    const token = await make();
    const before = reviews().length;
    await expect(create(token)).rejects.toMatchObject({ oauthCode: 'invalid_client' });
    expect(reviews()).toHaveLength(before);
  });

  test('that another key has signed is rejected by the review', async () => {
    const otherSigner = await testSigner();
    const claims = JSON.parse(
      Buffer.from((await tokenOf('worker')).split('.')[1] ?? '', 'base64url').toString(),
    );
    await expect(create(await otherSigner.sign(claims))).rejects.toMatchObject({
      oauthCode: 'invalid_client',
    });
  });

  test('of a ServiceAccount that is deleted is rejected on a replica that has not seen it before', async () => {
    const token = await tokenOf('leaving');
    await create(token);
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { namespace: env.namespace, name: 'leaving' },
    };
    bodyOf(await env.api.delete(account));
    const other = await env.replica();
    // The API server caches the authentication of a token for some seconds.
    const spec = { token, audiences: [ISSUER] };
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec };
    await eventually(async () => bodyOf(await env.api.create(review)).status.authenticated !== true, {
      timeoutMs: 60_000,
      intervalMs: 250,
    });
    await expect(create(token, other)).rejects.toMatchObject({ oauthCode: 'invalid_client' });
  }, 70_000);
});

describe('a TokenReview', () => {
  test('says who and for which audiences, and nothing of a token that is unknown', async () => {
    const review = createReviewToken(replica.kube.client);
    expect(await review(await tokenOf('worker'), [ISSUER, 'x'])).toEqual({
      authenticated: true,
      username: `system:serviceaccount:${env.namespace}:worker`,
      audiences: [ISSUER],
    });
    const nothing = { authenticated: false, username: '', audiences: [] };
    expect(await review(await tokenOf('worker', []), [ISSUER])).toEqual(nothing);
    expect(await review('garbage', [ISSUER])).toEqual(nothing);
  });
});
