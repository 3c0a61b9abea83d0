import { keyOf } from '../../api/meta.ts';
import type { Token } from '../../api/token.ts';
import { isNoCopy, withController } from '../../domain/own-mark.ts';
import {
  encodeData,
  ownerReferenceTo,
  type SecretRemoval,
  type SecretWrite,
} from '../../domain/token/secret-content.ts';
import { findDeviations } from '../../domain/token/secret-faults.ts';
import type { SecretFailure } from '../../domain/token/token-observation.ts';
import type { TokenPlan } from '../../domain/token/token-status.ts';
import type { WritableCache } from '../../ports/cache.ts';
import {
  ApiError,
  answerOf,
  type ChangedObject,
  deleteForSuccessor,
  deleteIfPresent,
  getIfThere,
  isAlreadyExists,
  isInvalid,
  isNotFound,
  isRejected,
  type NewObject,
  type ResourceClient,
  secretRejection,
} from '../../ports/kube.ts';
import type { Secret, SecretMeta } from '../../ports/secrets.ts';
import type { Keyring, Signer } from '../../ports/signing.ts';
import { describeMetadata, describeSecret, type KnownSecret, type Observed } from './token-observer.ts';

/** What a Token's Secrets are written to. The cache learns of a write before its watch does. */
export interface SecretSinks {
  readonly secrets: WritableCache<SecretMeta>;
  readonly keyring: Keyring;
  readonly secretClient: Pick<ResourceClient<Secret>, 'get' | 'create' | 'update' | 'delete'>;
  /** All metadata of a Secret that was read. */
  readonly secretMetaOf: (secret: Secret) => SecretMeta;
  /** What caches hold of a Secret that was written. */
  readonly cachedSecretOf: (secret: Secret) => SecretMeta;
}

type Delivery = Extract<TokenPlan, { kind: 'deliver' }>;

const without = <T>(members: Readonly<Record<string, T>> | undefined, names: readonly string[]) =>
  Object.fromEntries(Object.entries(members ?? {}).filter(([name]) => !names.includes(name)));

const dataOf = ({ dataKeys }: SecretWrite, jwt: string | undefined): Record<string, string> =>
  jwt === undefined ? {} : encodeData(dataKeys, { jwt });

/** What to write for a Token, with the JWT if it is a new one. */
interface Writing {
  readonly token: Token;
  readonly write: SecretWrite;
  readonly jwt: string | undefined;
}

/** The Secret to create for a Token (spec §2.1). */
const newSecret = ({ token, write, jwt }: Writing): NewObject<Secret> => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: {
    name: write.name,
    namespace: token.metadata.namespace,
    labels: write.labels,
    annotations: write.annotations,
    ownerReferences: [ownerReferenceTo(token)],
  },
  data: dataOf(write, jwt),
});

/**
 * The Secret to replace the one in place, which the Token controls then: labels, annotations, other owners, finalizers and data of
 * other managers stay. Without `fetched` the data in place is dropped, all of which the operator wrote.
 */
const changedSecret = (
  { token, write, jwt }: Writing,
  { meta, fetched }: KnownSecret,
): ChangedObject<Secret> => {
  const { name, namespace, uid } = meta.metadata;
  const { labels, annotations, ownerReferences, finalizers } = (fetched ?? meta).metadata;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: fetched?.type ?? 'Opaque',
    ...(fetched?.immutable !== undefined && { immutable: fetched.immutable }),
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion: write.precondition?.resourceVersion ?? '',
      labels: { ...without(labels, write.drop.labels), ...write.labels },
      annotations: { ...without(annotations, write.drop.annotations), ...write.annotations },
      ownerReferences: withController(ownerReferences, ownerReferenceTo(token)),
      ...(finalizers && { finalizers }),
    },
    data: { ...without(fetched?.data, write.drop.data), ...dataOf(write, jwt) },
  };
};

/** How the write of a Secret ended. */
export type SecretWritten =
  /** It was written; others changed the fields `overwritten`, but not the JWT, before the API server stored it. */
  | { readonly kind: 'written'; readonly overwritten: readonly string[] }
  /** The observation is out of date: plan again. */
  | { readonly kind: 'stale' }
  /** A Secret of that name exists. */
  | { readonly kind: 'exists'; readonly existing: Secret }
  /** The namespace is deleted or being deleted. */
  | { readonly kind: 'gone' }
  /** It was written, but others changed the JWT before the API server stored it. */
  | { readonly kind: 'altered'; readonly resourceVersion: string; readonly failure: SecretFailure }
  /** The write failed; `error` is to be thrown once the status records it, if a retry with backoff may help. */
  | { readonly kind: 'failed'; readonly failure: SecretFailure; readonly error: ApiError | undefined };

/** Rejected by a quota, an admission policy or validation, or too large (413). */
const isRefusal = (error: ApiError): boolean => error.status === 413 || isRejected(error);

const classifyWriteFailure = (error: unknown, name: string): SecretWritten => {
  if (!(error instanceof ApiError)) throw error;
  if (isRefusal(error)) {
    const message = `${secretRejection(error, `Secret "${name}"`)}, and spec.secret`;
    return { kind: 'failed', failure: { reason: 'SecretRefused', message }, error: undefined };
  }
  if (error.status < 500) throw error;
  const message = `Secret "${name}" could not be written (${answerOf(error)}): the operator tries again`;
  return { kind: 'failed', failure: { reason: 'Issuing', message }, error };
};

const signWith = async (signer: Signer | undefined, jwt: Delivery['jwt']): Promise<string | undefined> =>
  jwt && signer ? await signer.sign({ typ: jwt.typ, claims: jwt.claims }) : undefined;

/** Compares what the API server stored with what was sent: mutating admission may have changed it. */
const settleWrite = (
  sinks: SecretSinks,
  { token, write }: Writing,
  { sent, stored }: { readonly sent: Pick<Secret, 'data'>; readonly stored: Secret },
): SecretWritten => {
  sinks.secrets.putIfNewer(sinks.cachedSecretOf(stored));
  const { jwt: key } = write.dataKeys;
  if (stored.data?.[key] !== sent.data?.[key]) {
    const message = `an admission policy or a webhook changes data["${key}"] of Secret "${write.name}": exempt the Secret from it`;
    const { resourceVersion } = stored.metadata;
    return { kind: 'altered', resourceVersion, failure: { reason: 'SecretRefused', message } };
  }
  const described = describeMetadata(token, sinks.secretMetaOf(stored));
  return { kind: 'written', overwritten: findDeviations(described, write) };
};

const createSecret = async (
  sinks: SecretSinks,
  { secret, ...writing }: Writing & { readonly secret: NewObject<Secret> },
  signal: AbortSignal,
): Promise<SecretWritten> => {
  try {
    const stored = await sinks.secretClient.create(secret, { signal });
    return settleWrite(sinks, writing, { sent: secret, stored });
  } catch (error) {
    if (isNotFound(error)) return { kind: 'gone' };
    if (!isAlreadyExists(error)) return classifyWriteFailure(error, secret.metadata.name);
  }
  const existing = await getIfThere(sinks.secretClient, secret.metadata, signal);
  return existing ? { kind: 'exists', existing } : { kind: 'stale' };
};

/** Deletes a Secret in exactly the version that the plan observed, and creates its successor; the API server lets nobody change its data (KEP-1412). */
const replaceSecret = async (
  sinks: SecretSinks,
  { changed, ...writing }: Writing & { readonly changed: ChangedObject<Secret> },
  signal: AbortSignal,
): Promise<SecretWritten> => {
  const { metadata } = changed;
  let secret: NewObject<Secret>;
  try {
    secret = await deleteForSuccessor(sinks.secretClient, changed, signal);
  } catch (error) {
    return classifyWriteFailure(error, metadata.name);
  }
  sinks.secrets.forget(keyOf(metadata), metadata.uid);
  return createSecret(sinks, { ...writing, secret }, signal);
};

const updateSecret = async (
  sinks: SecretSinks,
  { known, ...writing }: Writing & { readonly known: KnownSecret },
  signal: AbortSignal,
): Promise<SecretWritten> => {
  const { meta } = known;
  const { metadata } = meta;
  const forget = (): SecretWritten => {
    sinks.secrets.forget(keyOf(metadata), metadata.uid);
    return { kind: 'stale' };
  };
  const isReadFirst = known.fetched === undefined && writing.write.readsFirst;
  const fetched = isReadFirst ? await getIfThere(sinks.secretClient, metadata, signal) : known.fetched;
  if (isReadFirst && fetched === undefined) return forget();
  try {
    const sent = changedSecret(writing, { meta, fetched });
    return settleWrite(sinks, writing, { sent, stored: await sinks.secretClient.update(sent, { signal }) });
  } catch (error) {
    if (isNotFound(error)) return forget();
    const rejected = isInvalid(error)
      ? (fetched ?? (await getIfThere(sinks.secretClient, metadata, signal)))
      : undefined;
    if (rejected?.immutable !== true) return classifyWriteFailure(error, writing.write.name);
    const changed = changedSecret(writing, { meta, fetched: rejected });
    return replaceSecret(sinks, { ...writing, changed }, signal);
  }
};

/**
 * Signs the planned JWT and writes the Secret: a create if none was observed, otherwise an update on uid and resourceVersion
 * (spec §2); an immutable Secret is deleted on both, and created again. `stale` if another key has become active since the plan.
 * @throws ApiError on a conflict, and if the API server can't be reached
 */
export const writeSecret = async (
  sinks: SecretSinks,
  { observation, secrets }: Observed,
  { write, jwt: planned, signal }: Pick<Delivery, 'write' | 'jwt'> & { readonly signal: AbortSignal },
): Promise<SecretWritten> => {
  const signer = sinks.keyring.active();
  if (planned && planned.kid !== signer?.kid) return { kind: 'stale' };
  const writing = { token: observation.token, write, jwt: await signWith(signer, planned) };
  if (write.precondition === undefined)
    return createSecret(sinks, { ...writing, secret: newSecret(writing) }, signal);
  const known = secrets.get(write.name);
  return known ? updateSecret(sinks, { ...writing, known }, signal) : { kind: 'stale' };
};

const findRemovable = async (
  sinks: SecretSinks,
  token: Token,
  { name, observed }: SecretRemoval,
  signal: AbortSignal,
): Promise<SecretRemoval['observed']> => {
  if (observed) return observed;
  const secret = await getIfThere(sinks.secretClient, { namespace: token.metadata.namespace, name }, signal);
  if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return undefined;
  const known = { meta: sinks.secretMetaOf(secret), fetched: secret };
  const { owned, marking } = await describeSecret(token, known, sinks.keyring);
  return owned && isNoCopy(marking) ? secret.metadata : undefined;
};

/**
 * Deletes Secrets of the Token, each on uid and resourceVersion; those that are gone, or that the Token does not own under that name, are skipped.
 * @throws ApiError on a conflict or any other failure
 */
export const removeSecrets = async (
  sinks: SecretSinks,
  token: Token,
  removals: readonly SecretRemoval[],
  signal: AbortSignal,
): Promise<void> => {
  for (const removal of removals) {
    const target = await findRemovable(sinks, token, removal, signal);
    if (target === undefined) continue;
    const ref = { namespace: token.metadata.namespace, name: removal.name };
    const { uid, resourceVersion } = target;
    await deleteIfPresent(sinks.secretClient.delete(ref, { uid, resourceVersion }, { signal }));
    sinks.secrets.forget(keyOf(ref), uid);
  }
};
