import { randomUUID } from 'node:crypto';
import type { OAuthClient } from '../../operator/api/oauth-client.ts';
import { MAX_BATCH_RECORDS } from '../../operator/api/token-batch.ts';
import { batchNameFrom } from '../../operator/domain/batch-id.ts';
import { type BatchContent, BatchDraft, type NewTokenBatch } from '../../operator/domain/token-batch.ts';
import { type StoredObject, timedLoop } from './api-server.ts';
import { SYSTEM, type World } from './world.ts';

/** Records of tokens that nobody was handed, as the operator would have recorded them: by the hundred thousand in seconds. */

/** The collection of TokenBatches in a namespace. */
export const batchesPath = (namespace: string): string =>
  `/apis/m2moauth.dev/v1alpha1/namespaces/${namespace}/tokenbatches`;

/** That of the bench's clients. */
export const TOKEN_BATCHES = batchesPath(SYSTEM);

const draftOf = (client: StoredObject, content: BatchContent, records: number): NewTokenBatch => {
  const object = client as unknown as OAuthClient;
  const clientID = object.status?.clientID ?? object.metadata.name;
  const draft = new BatchDraft(batchNameFrom(randomUUID()), object, clientID);
  while (draft.size < records) {
    if (draft.add(content) === undefined) throw new Error(`a TokenBatch has no room for ${records} records`);
  }
  return draft.build();
};

/** Writes `count` records that all say `content`, in full TokenBatches but for the last, with the bare loop. */
export const fillBatches = async (
  { server }: World,
  client: StoredObject,
  { content, count }: { readonly content: BatchContent; readonly count: number },
): Promise<void> => {
  const path = `${batchesPath(client.metadata.namespace ?? SYSTEM)}?fieldManager=bare&fieldValidation=Strict`;
  await timedLoop(Math.ceil(count / MAX_BATCH_RECORDS), async (at) => {
    const records = Math.min(MAX_BATCH_RECORDS, count - at * MAX_BATCH_RECORDS);
    await server.write('POST', path, draftOf(client, content, records));
  });
};
