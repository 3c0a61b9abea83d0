import { randomUUID } from 'node:crypto';
import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import { MAX_BATCH_RECORDS } from '../../../operator/api/token-batch.ts';
import { batchNameFrom } from '../../../operator/domain/record/cached-token-batch.ts';
import { buildIssuedToken } from '../../../operator/domain/record/issued-token.ts';
import {
  BatchDraft,
  type NewTokenBatch,
  type RecordFields,
} from '../../../operator/domain/record/token-batch.ts';
import { type StoredObject, timedLoop } from '../limits/api-server.ts';
import { AUDIENCE, type BenchEnv, CLIENT, KEY, SYSTEM } from './bench-env.ts';

/** Records of tokens that were never issued, made by a bare loop as the operator would have made them: batched, by the hundred thousand in seconds. */

const recordsPath = (namespace: string, plural: string): string =>
  `/apis/m2moauth.dev/v1alpha1/namespaces/${namespace}/${plural}`;

/** The collection of IssuedTokens in a namespace. */
export const issuedTokensPath = (namespace: string): string => recordsPath(namespace, 'issuedtokens');

/** The collection of TokenBatches in a namespace. */
const batchesPath = (namespace: string): string => recordsPath(namespace, 'tokenbatches');

/** Those of the bench's own clients. */
export const ISSUED_TOKENS = issuedTokensPath(SYSTEM);
export const TOKEN_BATCHES = batchesPath(SYSTEM);

/** How many, and when they expire, in seconds from now. */
interface RecordsWanted {
  readonly count: number;
  readonly expiresIn: number;
}

/** Of records that are past their time, but not so long ago that an operator with its defaults collects them: ten minutes. */
export const EXPIRED_SECONDS = -600;

const QUERY = 'fieldManager=bare&fieldValidation=Strict';
const LIFETIME_SECONDS = 3600;

/** The kid that signs now. */
export const activeKid = async ({ api }: BenchEnv): Promise<string> => {
  const { status } = (await api.get(KEY)).body;
  return status.keys.find((key: { phase: string }) => key.phase === 'Active').kid;
};

const namespaceOf = ({ metadata }: StoredObject): string => metadata.namespace ?? SYSTEM;

const clientIDOf = (client: StoredObject): string => client.status?.clientID ?? client.metadata.name;

/** What a record of a client says that expires so many seconds from now. */
const recordContent = async (
  env: BenchEnv,
  client: StoredObject,
  expiresIn: number,
): Promise<RecordFields & { readonly expiration: number }> => {
  const expiration = Math.floor(Date.now() / 1000) + expiresIn;
  return {
    tokenName: '',
    audience: [AUDIENCE],
    scope: ['read'],
    owner: client.spec.owner,
    subject: client.spec.owner,
    issuedAt: expiration - LIFETIME_SECONDS,
    expiration,
    keyID: await activeKid(env),
    originalTokenClaims: undefined,
  };
};

const draftOf = (client: StoredObject, content: RecordFields, records: number): NewTokenBatch => {
  const draft = new BatchDraft(
    batchNameFrom(randomUUID()),
    client as unknown as OAuthClient,
    clientIDOf(client),
  );
  while (draft.size < records) {
    if (draft.add(content) === undefined) throw new Error(`a TokenBatch has no room for ${records} records`);
  }
  return draft.build();
};

/** Writes `count` records of a client that all say `content`, in full TokenBatches but for the last. */
export const fillBatches = async (
  { server }: BenchEnv,
  client: StoredObject,
  { content, count }: { readonly content: RecordFields; readonly count: number },
): Promise<void> => {
  const path = `${batchesPath(namespaceOf(client))}?${QUERY}`;
  await timedLoop(Math.ceil(count / MAX_BATCH_RECORDS), async (at) => {
    const records = Math.min(MAX_BATCH_RECORDS, count - at * MAX_BATCH_RECORDS);
    await server.write('POST', path, draftOf(client, content, records));
  });
};

/** Writes records of the bench's client in TokenBatches. */
export const writeBatchedRecords = async (
  env: BenchEnv,
  { count, expiresIn }: RecordsWanted,
): Promise<void> => {
  const client = (await env.api.get(CLIENT)).body as StoredObject;
  await fillBatches(env, client, { content: await recordContent(env, client, expiresIn), count });
};

/** Writes an IssuedToken for each record of a client. */
export const writeIssuedTokens = async (
  env: BenchEnv,
  client: StoredObject,
  { count, expiresIn }: RecordsWanted,
): Promise<void> => {
  const content = await recordContent(env, client, expiresIn);
  const path = `${issuedTokensPath(namespaceOf(client))}?${QUERY}`;
  await timedLoop(count, async () => {
    const object = buildIssuedToken({
      ...content,
      id: randomUUID(),
      client: client as unknown as OAuthClient,
      clientID: clientIDOf(client),
    });
    await env.server.write('POST', path, object);
  });
};
