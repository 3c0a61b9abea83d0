import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { OWNER_LABEL, ownerLabel } from '../../../operator/domain/record/issued-token.ts';
import { bodyOf } from '../../support/api.ts';
import { assertionClaims, JWT_BEARER, type TestSigner, testSigner } from '../../support/assertions.ts';
import { eventually } from '../../support/eventually.ts';
import { ISSUER } from '../reconcilers/test-keyring.ts';
import { CreateTokenEnv, call, type Replica, requestOf } from './create-token-env.ts';

let env: CreateTokenEnv;
let first: Replica;
let second: Replica;
let signer: TestSigner;

beforeAll(async () => {
  env = await CreateTokenEnv.open();
  [first, second] = await Promise.all([env.replica(), env.replica()]);
  signer = await testSigner();
  await env.secret('credentials', { client_secret: 'first' });
  await env.client(
    'app',
    { clientSecret: { secretRef: { name: 'credentials' } } },
    { allowedAudiences: ['a'], allowedScopes: ['read', 'write'] },
  );
  await env.client('keyed', { privateKeyJWT: { jwks: { keys: [signer.publicJWK] } } });
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
});

const writesOf = ({ kube }: Replica): unknown[] =>
  kube.metrics.calls.filter(
    ([name, verb]) => name === 'apiRequest' && !['get', 'list', 'watch'].includes(String(verb)),
  );
const rejectionOf = (creating: Promise<unknown>) =>
  creating.then(
    () => 'created',
    ({ code, oauthCode }: { code: string; oauthCode?: string }) => oauthCode ?? code,
  );
const asApp = (clientSecret: string, replica = first) =>
  replica.createToken(requestOf('app', { clientSecret, audience: ['a'] }), call);
const asKeyed = (assertion: string, replica: Replica) =>
  replica.createToken(requestOf('keyed', { assertion, assertionType: JWT_BEARER }), call);

describe('a token that is issued', () => {
  test('is one object after one write, and says what the JWT says', async () => {
    const before = writesOf(first).length;
    const request = requestOf('app', {
      clientSecret: 'first',
      audience: ['a'],
      scope: ['write'],
      tokenName: 'nightly',
    });
    const token = await first.createToken(request, call);
    expect(writesOf(first)).toHaveLength(before + 1);
    const claims = decodeJwt(token.accessToken);
    const [record] = (await env.records()).filter(({ metadata }) => metadata.name === token.id);
    expect(record).toMatchObject({
      metadata: { name: claims.jti, labels: { [OWNER_LABEL]: ownerLabel('alice') } },
      spec: {
        clientRef: { name: 'app' },
        clientID: 'app',
        tokenName: 'nightly',
        audience: ['a'],
        scope: ['write'],
        owner: 'alice',
        subject: 'alice',
        keyID: env.keyring.active()?.kid,
      },
    });
    expect(Date.parse(record?.spec.issuedAt) / 1000).toBe(claims.iat);
    expect(Date.parse(record?.spec.expiration) / 1000).toBe(claims.exp);
    expect(record?.status).toBeUndefined();
    expect(first.recorded().at(-1)?.metadata.uid).toBe(record?.metadata.uid);
  });

  test('of an unbounded client is a record without expiration', async () => {
    await env.client(
      'unbounded',
      { clientSecret: { secretRef: { name: 'credentials' } } },
      { accessTokenLifetime: '0s' },
    );
    const token = await first.createToken(requestOf('unbounded', { clientSecret: 'first' }), call);
    const [record] = (await env.records()).filter(({ metadata }) => metadata.name === token.id);
    expect(record?.spec).not.toHaveProperty('expiration');
  });
});

describe('a client secret', () => {
  test('that is rotated is accepted at once, the former one beside it and then no more', async () => {
    await asApp('first');
    await env.secret('credentials', { client_secret: 'second\n', client_secret_previous: 'first' });
    await eventually(() => asApp('second'), { intervalMs: 300 });
    expect(await rejectionOf(asApp('first'))).toBe('created');
    await env.secret('credentials', { client_secret: 'second', client_secret_previous: '' });
    await eventually(async () => expect(await rejectionOf(asApp('first'))).toBe('invalid_client'), {
      timeoutMs: 20_000,
      intervalMs: 2000,
    });
    expect(await rejectionOf(asApp('second'))).toBe('created');
  });
});

describe('a client’s own assertion', () => {
  test('is accepted for one token, on whatever replica it is replayed', async () => {
    const assertion = await signer.sign(assertionClaims('keyed', ISSUER));
    await asKeyed(assertion, first);
    expect(await rejectionOf(asKeyed(assertion, first))).toBe('invalid_client');
    expect(await rejectionOf(asKeyed(assertion, second))).toBe('invalid_client');
  });

  test('that both replicas get at the same time makes one token', async () => {
    for (let round = 0; round < 10; round++) {
      const assertion = await signer.sign(assertionClaims('keyed', ISSUER));
      const outcomes = await Promise.all(
        [first, second].map((replica) => rejectionOf(asKeyed(assertion, replica))),
      );
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
    }
  });
});

describe('the API server’s rejection of a record', () => {
  test('by a quota is reported as such', async () => {
    const crowded = await CreateTokenEnv.open();
    try {
      const replica = await crowded.replica();
      await crowded.secret('credentials', { client_secret: 'first' });
      await crowded.client('app', { clientSecret: { secretRef: { name: 'credentials' } } });
      const quota = {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'few', namespace: crowded.namespace },
        spec: { hard: { 'count/issuedtokens.m2moauth.dev': '1' } },
      };
      bodyOf(await crowded.api.create(quota));
      // What the quota counts so far is the controller manager's to say: until then nothing may be created.
      await eventually(async () => bodyOf(await crowded.api.get(quota)).status?.used !== undefined);
      const create = () => replica.createToken(requestOf('app', { clientSecret: 'first' }), call);
      // Its cache may take one or two more before it knows of the first.
      await eventually(async () => expect(await rejectionOf(create())).toBe('Exhausted'), {
        intervalMs: 200,
      });
    } finally {
      await crowded[Symbol.asyncDispose]();
    }
  });
});
