import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { type KubeObject, MANAGER, type ManagedFieldsEntry } from '../api/meta.ts';
import { cachedIssuedTokenOf } from '../domain/record/cached-issued-token.ts';
import { cachedTokenBatchOf } from '../domain/record/cached-token-batch.ts';
import type { ResourceType } from '../ports/kube.ts';
import type { SecretMeta } from '../ports/secrets.ts';
import type { ListOptions, ListPage, ListWatch, WatchOptions } from '../ports/watch.ts';
import type { KubeClient } from './client.ts';
import {
  apiVersionOf,
  collectionPath,
  ISSUED_TOKENS,
  SECRETS,
  TOKEN_BATCHES,
  withoutManagedFields,
} from './resource-client.ts';
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

/** Metadata of Secrets, with who wrote what (see {@link buildSecretMeta}); their content never leaves the API server. */
export const listWatchSecretMeta = (client: KubeClient, selection: Selection = {}): ListWatch<SecretMeta> =>
  createListWatch(client, { ...selection, type: SECRETS, metadataOnly: true, decode: buildSecretMeta });

/** What is kept of the objects of one type, instead of them. */
const listWatchDecoded =
  <O extends KubeObject, T>(type: ResourceType, decode: (object: O) => T) =>
  (client: KubeClient, selection: Selection = {}): ListWatch<T> =>
    createListWatch(client, {
      ...selection,
      type,
      metadataOnly: false,
      decode: decode as (object: KubeObject) => T,
    });

/** The records in IssuedTokens. */
export const listWatchIssuedTokens = listWatchDecoded(ISSUED_TOKENS, cachedIssuedTokenOf);

/** The records in TokenBatches. */
export const listWatchTokenBatches = listWatchDecoded(TOKEN_BATCHES, cachedTokenBatchOf);

/** Metadata of any type: what label selectors are matched against. */
export const listWatchMetadata = (
  client: KubeClient,
  type: ResourceType,
  selection: Selection = {},
): ListWatch<KubeObject> =>
  createListWatch(client, {
    ...selection,
    type,
    metadataOnly: true,
    decode: (object) => withoutManagedFields({ ...object, ...typeMetaOf(type) }),
  });

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

const createListWatch = <T>(client: KubeClient, source: Source<T>): ListWatch<T> => {
  const { type, namespace, labelSelector, fieldSelector, metadataOnly, decode } = source;
  const path = collectionPath(type, namespace);
  const selectors = { labelSelector, fieldSelector };
  const list = async ({ limit, continueToken, signal }: ListOptions): Promise<ListPage<T>> => {
    const page = await client.request<RawList>({
      verb: 'list',
      path,
      query: { ...selectors, limit, continue: continueToken },
      accept: acceptOf(metadataOnly, 'PartialObjectMetadataList'),
      signal,
    });
    const { resourceVersion, continue: next } = page.metadata;
    return { resourceVersion, continueToken: next || undefined, items: await decodeAll(page.items, decode) };
  };
  const watch = (options: WatchOptions) =>
    openWatch(client, { path, selectors, metadataOnly, decode }, options);
  const advanceWatchCache = async (signal: AbortSignal): Promise<void> => {
    const found = collectionPath(type, type.namespaced ? (namespace ?? ANY_NAMESPACE) : undefined);
    // Over the connection of the watches: with several API servers, each has a separate cache.
    const noObject = { path: found, selectors: NO_OBJECT, metadataOnly: true, decode: () => undefined };
    const now = { resourceVersion: '', initialEvents: true, timeoutSeconds: PROGRESS_REQUEST_SECONDS };
    for await (const events of await openWatch(client, noObject, { ...now, signal })) {
      if (events.some((event) => event.type === 'BOOKMARK')) return;
    }
  };
  return {
    resource: type.plural,
    list,
    watch,
    advanceWatchCache,
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

type Fields = Readonly<Record<string, unknown>>;

/** Where in `fieldsV1` the parts stand whose writers count. */
const PATHS = {
  data: ['f:data'],
  stringData: ['f:stringData'],
  labels: ['f:metadata', 'f:labels'],
  annotations: ['f:metadata', 'f:annotations'],
} as const;

/**
 * What is kept of a Secret, from its PartialObjectMetadata. Who wrote which data key, label and annotation comes from
 * `managedFields` (server-side apply's FieldsV1), which name keys and never values. A key that we and others own
 * alike (server-side apply of an equal value) counts as ours; but one that others apply as `stringData` counts as theirs,
 * since that changes `data` without a trace in the ownership of `data`. A key without an owner shows nowhere, so a Secret
 * whose managedFields were emptied looks like one that we have not written.
 */
export const buildSecretMeta = (object: KubeObject): SecretMeta => {
  const { managedFields = [], ...metadata } = object.metadata;
  const own = managedFields.filter(({ manager }) => manager === MANAGER);
  const others = managedFields.filter(({ manager }) => manager !== MANAGER);
  const applied = ownedKeys(others, PATHS.stringData);
  const managedDataKeys = ownedKeys(own, PATHS.data).filter((key) => !applied.includes(key));
  const dataOfOtherManagers = [...new Set([...applied, ...ownedKeys(others, PATHS.data)])].sort();
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    fields: {
      managedDataKeys,
      dataOfOtherManagers: dataOfOtherManagers.filter((key) => !managedDataKeys.includes(key)),
      ownLabels: ownedKeys(own, PATHS.labels),
      ownAnnotations: ownedKeys(own, PATHS.annotations),
    },
  };
};

/** The field names below `path` that the entries own, sorted, each once. */
const ownedKeys = (entries: readonly ManagedFieldsEntry[], path: readonly string[]): string[] => {
  const keys = new Set<string>();
  for (const { fieldsV1 } of entries) {
    const fields = path.reduce<Fields | undefined>((at, name) => asFields(at?.[name]), fieldsV1);
    for (const field of Object.keys(fields ?? {})) {
      // `.` is the map itself; `f:<name>` one of its keys (structured-merge-diff, fieldpath/serialize-pe.go).
      if (field.startsWith('f:')) keys.add(field.slice(2));
    }
  }
  return [...keys].sort();
};

const asFields = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null ? (value as Fields) : undefined;
