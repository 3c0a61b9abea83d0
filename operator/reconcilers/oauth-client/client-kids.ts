import { keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { CachedTokenBatch } from '../../domain/record/cached-token-batch.ts';
import { RECORD_OBJECT_INDEX } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import { TOKEN_INDEX } from '../token/token-triggers.ts';

/** The caches that say who signed a client's tokens. */
export interface ClientKidSources {
  readonly tokens: Pick<Cache<Token>, 'byIndex'>;
  readonly issued: Pick<Cache<CachedIssuedToken>, 'byIndex'>;
  readonly batches: Pick<Cache<CachedTokenBatch>, 'byIndex'>;
}

/** Objects of a kind that are looked at: enough to find every signer, few enough not to hold up the event loop. */
const MAX_OBJECTS = 10_000;

function* take<T>(objects: Iterable<T>): Generator<T> {
  let left = MAX_OBJECTS;
  for (const object of objects) {
    if (left-- === 0) return;
    yield object;
  }
}

/** The kids that signed a client's Tokens and issued tokens; many of them several times. */
export function* kidsOfClient(
  { tokens, issued, batches }: ClientKidSources,
  { metadata }: OAuthClient,
): Generator<string> {
  const key = keyOf(metadata);
  for (const { status } of take(tokens.byIndex(TOKEN_INDEX.client, key))) {
    if (status?.keyID !== undefined) yield status.keyID;
    for (const { keyID } of status?.previous ?? []) yield keyID;
  }
  for (const { keyID, clientUID } of take(issued.byIndex(RECORD_OBJECT_INDEX.client, key)))
    if (clientUID === metadata.uid) yield keyID;
  for (const { profiles, clientUID } of take(batches.byIndex(RECORD_OBJECT_INDEX.client, key)))
    if (clientUID === metadata.uid) yield* profiles.map(({ keyID }) => keyID);
}
