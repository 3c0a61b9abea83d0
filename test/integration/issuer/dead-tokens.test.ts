import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { API_VERSION, MANAGED_BY_LABEL, MANAGER } from '../../../operator/api/meta.ts';
import { TOKEN_CLAIM } from '../../../operator/api/reserved-claims.ts';
import { batchedId, batchNameFrom } from '../../../operator/domain/record/cached-token-batch.ts';
import { buildIssuedToken } from '../../../operator/domain/record/issued-token.ts';
import { BatchDraft, type RecordFields } from '../../../operator/domain/record/token-batch.ts';
import { tokenId } from '../../../operator/domain/token/declared-token.ts';
import { bodyOf, type KubeObject } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { ISSUER } from '../reconcilers/test-keyring.ts';
import { CreateTokenEnv, call, type Replica, requestOf } from './create-token-env.ts';

/** Tokens that stay dead whatever is restored or created again, against a real API server. */

let env: CreateTokenEnv;
let replica: Replica;
let client: KubeObject;

beforeAll(async () => {
  env = await CreateTokenEnv.open();
  replica = await env.replica();
  await env.secret('credentials', { client_secret: 'secret' });
  client = await env.client('app', { clientSecret: { secretRef: { name: 'credentials' } } });
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
});

const now = (): number => Math.floor(Date.now() / 1000);
const credentials = requestOf('app', { clientSecret: 'secret' });
const isActive = async (jwt: string): Promise<boolean> =>
  (await replica.introspectToken(jwt, credentials, call)) !== undefined;

const signer = () => {
  const active = env.keyring.active();
  if (!active) throw new Error('a key is active');
  return active;
};
const signed = (claims: object): Promise<string> =>
  signer().sign({ typ: 'at+jwt', claims: { iss: ISSUER, sub: 'alice', client_id: 'app', ...claims } });

/** What a token says that was issued so many seconds ago. */
const fieldsOf = (ageSeconds: number): RecordFields => ({
  tokenName: '',
  audience: [],
  scope: [],
  owner: 'alice',
  subject: 'alice',
  issuedAt: now() - ageSeconds,
  expiration: now() + 600,
  keyID: signer().kid,
  originalTokenClaims: undefined,
});
const jwtOf = (jti: string, { issuedAt, expiration }: RecordFields): Promise<string> =>
  signed({ jti, iat: issuedAt, exp: expiration });

const isListed = async (id: string): Promise<boolean> => {
  const bearer = { owner: 'alice', onlyID: undefined, client: undefined };
  const query = { ids: [], includeBlacklisted: true };
  for await (const chunk of replica.listTokens(bearer, query, call))
    if (chunk.some((record) => record.id === id)) return true;
  return false;
};

describe('a record that is created again', () => {
  const AGES: [string, number, boolean][] = [
    ['as late as a replica may have done it', 800, true],
    ['later than that', 900, false],
  ];

  test.each(AGES)('as an IssuedToken, %s', async (_name, age, isValid) => {
    const fields = fieldsOf(age);
    const id = randomUUID();
    bodyOf(
      await env.api.create(buildIssuedToken({ ...fields, id, client: client as never, clientID: 'app' })),
    );
    await eventually(() => replica.recorded().some((record) => record.id === id));
    expect(await isActive(await jwtOf(id, fields))).toBe(isValid);
    expect(await isListed(id)).toBe(isValid);
  });

  test.each(AGES)('as a TokenBatch, %s', async (_name, age, isValid) => {
    const fields = fieldsOf(age);
    const name = batchNameFrom(randomUUID());
    const draft = new BatchDraft(name, client as never, 'app');
    draft.add(fields);
    bodyOf(await env.api.create(draft.build()));
    const { cache } = replica.informers.batches;
    await eventually(() => cache.get(`${env.namespace}/${name}`) !== undefined);
    const id = batchedId(name, 0);
    expect(await isActive(await jwtOf(id, fields))).toBe(isValid);
    expect(await isListed(id)).toBe(isValid);
  });
});

test('the next JWT of a Token dies with its client, and that of the client made again is valid', async () => {
  const base = { apiVersion: API_VERSION, metadata: { name: 'reports', namespace: env.namespace } };
  const token = bodyOf(
    await env.api.create({ ...base, kind: 'Token', spec: { clientRef: { name: 'app' } } }),
  );
  const jti = tokenId(token.metadata.uid, 1);
  const claims = { jti, iat: now(), exp: now() + 600, [TOKEN_CLAIM]: `${env.namespace}/reports` };
  const jwt = await signed(claims);
  const deliver = async (clientUID: string): Promise<void> => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: base.metadata };
    await env.api.delete(secret);
    const { uid } = token.metadata;
    const owner = { apiVersion: API_VERSION, kind: 'Token', name: 'reports', uid, controller: true };
    const delivered = {
      ...secret,
      metadata: {
        ...base.metadata,
        labels: { [MANAGED_BY_LABEL]: MANAGER },
        annotations: { 'm2moauth.dev/token-id': jti, 'm2moauth.dev/client-uid': clientUID },
        ownerReferences: [owner],
      },
      stringData: { token: jwt },
    };
    bodyOf(await env.api.create(delivered));
  };
  await deliver(client.metadata.uid);
  expect(await isActive(jwt)).toBe(true);
  bodyOf(await env.api.delete(client));
  client = await env.client('app', { clientSecret: { secretRef: { name: 'credentials' } } });
  await eventually(() => {
    const { cache } = replica.informers.clients;
    return cache.get(`${env.namespace}/app`)?.metadata.uid === client.metadata.uid;
  });
  await eventually(async () => expect(await isActive(jwt)).toBe(false));
  await deliver(client.metadata.uid);
  await eventually(async () => expect(await isActive(jwt)).toBe(true));
});
