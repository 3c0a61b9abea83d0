import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { KubeObject } from '../api/meta.ts';
import type { OAuthClient } from '../api/oauth-client.ts';
import type { SigningKey } from '../api/signing-key.ts';
import type { Token } from '../api/token.ts';
import { cachedNamespaceOf } from '../domain/cached-namespace.ts';
import { cachedClientOf } from '../domain/client/cached-client.ts';
import { cachedSigningKeyOf } from '../domain/key/cached-signing-key.ts';
import { cachedTokenBatchOf } from '../domain/record/cached-token-batch.ts';
import { cachedIssuedTokenOf } from '../domain/record/issued-token.ts';
import { cachedTokenOf } from '../domain/token/declared-token.ts';
import { ApiError, type ResourceType } from '../ports/kube.ts';
import type { SecretMeta } from '../ports/secrets.ts';
import type { ListOptions, ListPage, ListWatch, WatchOptions } from '../ports/watch.ts';
import { isAnswerTooLarge } from './api-failure.ts';
import type { KubeClient } from './client.ts';
import { type PageRequest, PageSize } from './page-size.ts';
import {
  apiVersionOf,
  collectionPath,
  ISSUED_TOKENS,
  NAMESPACES,
  OAUTH_CLIENTS,
  SECRETS,
  SIGNING_KEYS,
  TOKEN_BATCHES,
  TOKENS,
  withoutManagedFields,
} from './resource-client.ts';
import { cachedSecretMetaOf } from './secret-meta.ts';
import { readWatchEvents } from './watch-events.ts';

/** Which objects of a type. */
export interface Selection {
  /** Absent = every namespace, or a type that has none. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

interface Source<T> extends Selection {
  readonly type: ResourceType;
  /** Ask for PartialObjectMetadata: neither spec nor data leaves the API server. */
  readonly metadataOnly: boolean;
  readonly decode: (object: KubeObject) => T;
}

/** Whole objects, without `managedFields`. */
export const listWatchObjects = <T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  selection: Selection = {},
): ListWatch<T> =>
  createListWatch<T>(client, {
    ...selection,
    type,
    metadataOnly: false,
    decode: (object) => withoutManagedFields({ ...object, ...typeMetaOf(type) } as T),
  });

/** What is kept of the objects of one type, instead of them. */
const listWatchDecoded =
  <O extends KubeObject, T>(type: ResourceType, decode: (object: O) => T, metadataOnly = false) =>
  (client: KubeClient, selection: Selection = {}): ListWatch<T> =>
    createListWatch(client, {
      ...selection,
      type,
      metadataOnly,
      decode: (object) => decode({ ...object, ...typeMetaOf(type) } as O),
    });

/** Metadata of Secrets, with who wrote what (see {@link cachedSecretMetaOf}); their content never leaves the API server. */
export const listWatchSecretMeta = listWatchDecoded<KubeObject, SecretMeta>(
  SECRETS,
  cachedSecretMetaOf,
  true,
);

/** Tokens, as {@link cachedTokenOf} holds them. */
export const listWatchTokens = listWatchDecoded<Token, Token>(TOKENS, cachedTokenOf);

/** OAuthClients, as {@link cachedClientOf} holds them. */
export const listWatchClients = listWatchDecoded<OAuthClient, OAuthClient>(OAUTH_CLIENTS, cachedClientOf);

/** SigningKeys, as {@link cachedSigningKeyOf} holds them. */
export const listWatchSigningKeys = listWatchDecoded<SigningKey, SigningKey>(
  SIGNING_KEYS,
  cachedSigningKeyOf,
);

/** The records in IssuedTokens. */
export const listWatchIssuedTokens = listWatchDecoded(ISSUED_TOKENS, cachedIssuedTokenOf);

/** The records in TokenBatches. */
export const listWatchTokenBatches = listWatchDecoded(TOKEN_BATCHES, cachedTokenBatchOf);

/** The labels of namespaces, as {@link cachedNamespaceOf} holds them. */
export const listWatchNamespaces = listWatchDecoded(NAMESPACES, cachedNamespaceOf, true);

/** A list leaves `apiVersion` and `kind` out of its items. */
const typeMetaOf = (type: ResourceType) => ({ apiVersion: apiVersionOf(type), kind: type.kind });

const acceptOf = (metadataOnly: boolean, kind: string): string =>
  metadataOnly ? `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json` : 'application/json';

/** Objects decoded before others get their turn. */
const CHUNK = 100;
const WATCH_HEADERS_TIMEOUT_MS = 60_000;
/** The answer to a progress request comes at once, or never. */
const PROGRESS_REQUEST_SECONDS = 10;
/** The namespace of a progress request of a watch of all namespaces: with a namespace and a name the API server scans no list. */
const ANY_NAMESPACE = 'default';
const NO_OBJECT = { fieldSelector: 'metadata.name=nobody.m2moauth.dev' };

/** What a watch is of. */
interface Watched<T> extends Pick<Source<T>, 'metadataOnly' | 'decode'> {
  readonly path: string;
  readonly selectors: Readonly<Partial<Record<'labelSelector' | 'fieldSelector', string | undefined>>>;
}

const openWatch = async <T>(
  client: KubeClient,
  { path, selectors, metadataOnly, decode }: Watched<T>,
  options: WatchOptions,
) => {
  const { signal } = options;
  const body = await client.stream({
    verb: 'watch',
    path,
    query: { ...selectors, ...watchQueryOf(options) },
    accept: acceptOf(metadataOnly, 'PartialObjectMetadata'),
    signal,
    timeoutMs: WATCH_HEADERS_TIMEOUT_MS,
  });
  return readWatchEvents(body, { call: { verb: 'watch', path }, decode, signal });
};

/** Lists pages of at most the `limit` that is asked for, fewer where objects are large (see {@link PageSize}). */
const createList = <T>(client: KubeClient, { path, selectors, metadataOnly, decode }: Watched<T>) => {
  const pages = new PageSize();
  const read = async (asked: PageRequest, { continueToken, signal }: ListOptions): Promise<ListPage<T>> => {
    let bytes = 0;
    const page = await client.request<RawList>({
      verb: 'list',
      path,
      query: { ...selectors, limit: asked.limit, continue: continueToken },
      accept: acceptOf(metadataOnly, 'PartialObjectMetadataList'),
      signal,
      maxBytes: asked.maxBytes,
      onBytes: (read) => {
        bytes = read;
      },
    });
    pages.read({ limit: asked.limit, items: page.items?.length ?? 0, bytes });
    const { resourceVersion, continue: next } = page.metadata;
    return { resourceVersion, continueToken: next || undefined, items: await decodeAll(page.items, decode) };
  };
  return async (options: ListOptions): Promise<ListPage<T>> => {
    for (;;) {
      const asked = pages.next(options.limit);
      try {
        return await read(asked, options);
      } catch (error) {
        if (!isAnswerTooLarge(error) || asked.maxBytes === undefined) throw error;
        pages.exceeded(asked);
      }
    }
  };
};

/** The resourceVersion of the bookmark that ends the initial events: with several API servers, of the one that serves the watches. */
const watchNothing = async (
  client: KubeClient,
  noObject: Watched<undefined>,
  signal: AbortSignal,
): Promise<string> => {
  const now = { resourceVersion: '', initialEvents: true, timeoutSeconds: PROGRESS_REQUEST_SECONDS };
  for await (const events of await openWatch(client, noObject, { ...now, signal })) {
    for (const event of events) if (event.type === 'BOOKMARK') return event.resourceVersion;
  }
  throw new ApiError(`watch ${noObject.path}: no bookmark`, { status: 0, reason: 'Timeout' });
};

/** An API server without watch-list rejects the parameters. */
const isUnsupported = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 400 || error.status === 422);

const createListWatch = <T>(client: KubeClient, source: Source<T>): ListWatch<T> => {
  const { type, namespace, labelSelector, fieldSelector, metadataOnly, decode } = source;
  const path = collectionPath(type, namespace);
  const selectors = { labelSelector, fieldSelector };
  const list = createList<T>(client, { path, selectors, metadataOnly, decode });
  const watch = (options: WatchOptions) =>
    openWatch(client, { path, selectors, metadataOnly, decode }, options);
  const noObject = {
    path: collectionPath(type, type.namespaced ? (namespace ?? ANY_NAMESPACE) : undefined),
    selectors: NO_OBJECT,
    metadataOnly: true,
    decode: () => undefined,
  };
  const listNothing = createList(client, noObject);
  return {
    resource: type.plural,
    list,
    watch,
    currentVersion: async (signal) => {
      try {
        return await watchNothing(client, noObject, signal);
      } catch (error) {
        if (!isUnsupported(error)) throw error;
        return (await listNothing({ limit: 1, signal })).resourceVersion;
      }
    },
    contact: client.watchContact,
  };
};

interface RawList {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly KubeObject[] | null;
}

/** KEP-3157: with initial events the resourceVersionMatch is required, and '' asks for a consistent read. */
const watchQueryOf = ({ resourceVersion, initialEvents, timeoutSeconds }: WatchOptions) => ({
  watch: true,
  allowWatchBookmarks: true,
  timeoutSeconds,
  resourceVersion,
  ...(initialEvents && { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' }),
});

const decodeAll = async <T>(
  items: readonly KubeObject[] | null,
  decode: (object: KubeObject) => T,
): Promise<T[]> => {
  const decoded: T[] = [];
  for (const item of items ?? []) {
    decoded.push(decode(item));
    if (decoded.length % CHUNK === 0) await turnOfTheLoop();
  }
  return decoded;
};
