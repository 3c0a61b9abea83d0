import { keyOf } from '../../api/meta.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import { isControlledBy } from '../../domain/delivered-secret.ts';
import {
  encodeData,
  ownerReferenceTo,
  type SecretRemoval,
  type SecretWrite,
} from '../../domain/token/secret-content.ts';
import type { SecretFailure } from '../../domain/token/token-observation.ts';
import type { TokenPlan } from '../../domain/token/token-status.ts';
import type { WritableCache } from '../../ports/cache.ts';
import {
  ApiError,
  answerOf,
  type ChangedObject,
  deleteIfPresent,
  getIfThere,
  isAlreadyExists,
  isNotFound,
  isRejected,
  type NewObject,
  type ResourceClient,
  secretRejection,
} from '../../ports/kube.ts';
import type { Secret, SecretMeta } from '../../ports/secrets.ts';
import type { Keyring, Signer } from '../../ports/signing.ts';
import type { KnownSecret, Observed } from './token-observer.ts';

/** What a Token's plan is written to. The caches learn of a write before their watches do. */
export interface TokenSinks {
  readonly tokens: WritableCache<Token>;
  readonly secrets: WritableCache<SecretMeta>;
  readonly keyring: Keyring;
  readonly tokenClient: Pick<ResourceClient<Token>, 'updateStatus' | 'delete'>;
  /** Whole Tokens: a Secret gets annotations of which caches hold digests only. */
  readonly wholeTokenClient: Pick<ResourceClient<Token>, 'get'>;
  readonly secretClient: Pick<ResourceClient<Secret>, 'get' | 'create' | 'update' | 'delete'>;
  /** What caches hold of a Secret that was written. */
  readonly cachedSecretOf: (secret: Secret) => SecretMeta;
}

type Delivery = Extract<TokenPlan, { kind: 'deliver' }>;

const without = <T>(members: Readonly<Record<string, T>> | undefined, names: readonly string[]) =>
  Object.fromEntries(Object.entries(members ?? {}).filter(([name]) => !names.includes(name)));

const dataOf = ({ dataKeys }: SecretWrite, jwt: string | undefined): Record<string, string> =>
  jwt === undefined ? {} : encodeData(dataKeys, { jwt });

/** The Secret to create for a Token (spec §2.1). */
const newSecret = (token: Token, write: SecretWrite, jwt: string | undefined): NewObject<Secret> => ({
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
 * The Secret to replace the one in place: labels, annotations, owners, finalizers and data of other managers stay. Without `fetched`
 * the data in place is dropped, all of which the operator wrote.
 */
const changedSecret = (
  write: SecretWrite,
  inPlace: { readonly meta: SecretMeta; readonly fetched: Secret | undefined },
  jwt: string | undefined,
): ChangedObject<Secret> => {
  const { meta, fetched } = inPlace;
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
      ownerReferences: ownerReferences ?? [],
      ...(finalizers && { finalizers }),
    },
    data: { ...without(fetched?.data, write.drop.data), ...dataOf(write, jwt) },
  };
};

/** How the write of a Secret ended. */
export type SecretWritten =
  | { readonly kind: 'written' }
  /** The observation is out of date: plan again. */
  | { readonly kind: 'stale' }
  /** A Secret of that name exists. */
  | { readonly kind: 'exists'; readonly existing: Secret }
  /** The namespace is deleted or being deleted. */
  | { readonly kind: 'gone' }
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

const createSecret = async (
  sinks: TokenSinks,
  { token, write, jwt }: { token: Token; write: Delivery['write']; jwt: string | undefined },
  signal: AbortSignal,
): Promise<SecretWritten> => {
  try {
    const created = await sinks.secretClient.create(newSecret(token, write, jwt), { signal });
    sinks.secrets.putIfNewer(sinks.cachedSecretOf(created));
    return { kind: 'written' };
  } catch (error) {
    if (isNotFound(error)) return { kind: 'gone' };
    if (!isAlreadyExists(error)) return classifyWriteFailure(error, write.name);
  }
  const ref = { namespace: token.metadata.namespace, name: write.name };
  const existing = await getIfThere(sinks.secretClient, ref, signal);
  return existing ? { kind: 'exists', existing } : { kind: 'stale' };
};

const updateSecret = async (
  sinks: TokenSinks,
  { known, write, jwt }: { known: KnownSecret; write: Delivery['write']; jwt: string | undefined },
  signal: AbortSignal,
): Promise<SecretWritten> => {
  const { metadata } = known.meta;
  const forget = (): SecretWritten => {
    sinks.secrets.forget(keyOf(metadata), metadata.uid);
    return { kind: 'stale' };
  };
  const isReadFirst = known.fetched === undefined && write.readsFirst;
  const fetched = isReadFirst ? await getIfThere(sinks.secretClient, metadata, signal) : known.fetched;
  if (isReadFirst && fetched === undefined) return forget();
  try {
    const changed = changedSecret(write, { meta: known.meta, fetched }, jwt);
    const updated = await sinks.secretClient.update(changed, { signal });
    sinks.secrets.putIfNewer(sinks.cachedSecretOf(updated));
    return { kind: 'written' };
  } catch (error) {
    return isNotFound(error) ? forget() : classifyWriteFailure(error, write.name);
  }
};

/**
 * Signs the planned JWT and writes the Secret: a create if none was observed, otherwise an update on uid and resourceVersion
 * (spec §2). `stale` if another key has become active since the plan.
 * @throws ApiError on a conflict, and if the API server can't be reached
 */
export const writeSecret = async (
  sinks: TokenSinks,
  { observation, secrets }: Observed,
  { write, jwt: planned, signal }: Pick<Delivery, 'write' | 'jwt'> & { readonly signal: AbortSignal },
): Promise<SecretWritten> => {
  const signer = sinks.keyring.active();
  if (planned && planned.kid !== signer?.kid) return { kind: 'stale' };
  const jwt = await signWith(signer, planned);
  if (write.precondition === undefined)
    return createSecret(sinks, { token: observation.token, write, jwt }, signal);
  const known = secrets.get(write.name);
  return known ? updateSecret(sinks, { known, write, jwt }, signal) : { kind: 'stale' };
};

const findRemovable = async (
  sinks: TokenSinks,
  token: Token,
  { name, observed }: SecretRemoval,
  signal: AbortSignal,
): Promise<SecretRemoval['observed']> => {
  if (observed) return observed;
  const secret = await getIfThere(sinks.secretClient, { namespace: token.metadata.namespace, name }, signal);
  const isOurs = isControlledBy(token.metadata.uid, secret?.metadata.ownerReferences);
  return isOurs && secret?.metadata.deletionTimestamp === undefined ? secret?.metadata : undefined;
};

/**
 * Deletes Secrets of the Token, each on uid and resourceVersion; those that are gone or not owned by the Token are skipped.
 * @throws ApiError on a conflict or any other failure
 */
export const removeSecrets = async (
  sinks: TokenSinks,
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

/**
 * Replaces a Token's status, on the uid and resourceVersion that were read. Returns false if the Token is gone.
 * @throws ApiError on a conflict or any other failure
 */
export const writeStatus = async (
  sinks: TokenSinks,
  { metadata }: Token,
  status: TokenStatus,
  signal: AbortSignal,
): Promise<boolean> => {
  const { name, namespace, uid, resourceVersion } = metadata;
  try {
    const updated = await sinks.tokenClient.updateStatus(
      { metadata: { name, namespace, uid, resourceVersion }, status },
      { signal },
    );
    sinks.tokens.putIfNewer(updated);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
};

/**
 * Deletes a Token on uid and resourceVersion; Kubernetes' garbage collector deletes its Secret. Does nothing if it is gone.
 * @throws ApiError on a conflict or any other failure
 */
export const deleteToken = async (sinks: TokenSinks, token: Token, signal: AbortSignal): Promise<void> => {
  const { uid, resourceVersion } = token.metadata;
  await deleteIfPresent(sinks.tokenClient.delete(token.metadata, { uid, resourceVersion }, { signal }));
  sinks.tokens.forget(keyOf(token.metadata), uid);
};
