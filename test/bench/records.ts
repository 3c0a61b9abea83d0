import { randomUUID } from 'node:crypto';
import type { OAuthClient } from '../../operator/api/oauth-client.ts';
import { batchNameFrom } from '../../operator/domain/batch-id.ts';
import { buildIssuedToken, type IssuedTokenContent } from '../../operator/domain/issued-token.ts';
import { BatchDraft } from '../../operator/domain/token-batch.ts';
import { timedLoop } from './api-server.ts';
import { ISSUED_TOKENS } from './handed-out.ts';
import { AUDIENCE, CLIENT, KEY, SYSTEM, type World } from './world.ts';

/** Makes records of handed-out tokens by a bare loop, as the operator would have made them. */

export const TOKEN_BATCHES = `/apis/m2moauth.dev/v1alpha1/namespaces/${SYSTEM}/tokenbatches`;
const BATCH_RECORDS = 256;

/** How many, and when they expire, in seconds from now. */
export interface RecordsWanted {
  readonly count: number;
  readonly expiresIn: number;
}

/** The kid that signs now. */
export const activeKid = async ({ api }: World): Promise<string> => {
  const { status } = (await api.get(KEY)).body;
  return status.keys.find((key: { phase: string }) => key.phase === 'Active').kid;
};

const LIFETIME_SECONDS = 3600;

const contentOf = async (world: World, expiresIn: number): Promise<Omit<IssuedTokenContent, 'id'>> => {
  const expiration = Math.floor(Date.now() / 1000) + expiresIn;
  return {
    client: (await world.api.get(CLIENT)).body as OAuthClient,
    clientID: CLIENT.metadata.name,
    tokenName: '',
    audience: [AUDIENCE],
    scope: ['read'],
    owner: CLIENT.spec.owner,
    subject: CLIENT.spec.owner,
    issuedAt: expiration - LIFETIME_SECONDS,
    expiration,
    keyID: await activeKid(world),
    originalTokenClaims: undefined,
  };
};

const QUERY = 'fieldManager=bare&fieldValidation=Strict';

/** Makes IssuedTokens. */
export const writeIssuedTokens = async (world: World, { count, expiresIn }: RecordsWanted): Promise<void> => {
  const content = await contentOf(world, expiresIn);
  await timedLoop(count, async () => {
    const object = buildIssuedToken({ ...content, id: randomUUID() });
    await world.server.write('POST', `${ISSUED_TOKENS}?${QUERY}`, object);
  });
};

/** Makes TokenBatches of 256 records, the last one of what is left over. */
export const writeBatchedRecords = async (
  world: World,
  { count, expiresIn }: RecordsWanted,
): Promise<void> => {
  const content = await contentOf(world, expiresIn);
  await timedLoop(Math.ceil(count / BATCH_RECORDS), async (at) => {
    const draft = new BatchDraft(batchNameFrom(randomUUID()), content.client, content.clientID);
    const size = Math.min(BATCH_RECORDS, count - at * BATCH_RECORDS);
    for (let position = 0; position < size; position += 1) draft.add(content);
    await world.server.write('POST', `${TOKEN_BATCHES}?${QUERY}`, draft.build());
  });
};
