import { keyOf } from '../../api/meta.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import { isOwnedBy, type SecretRemoval } from '../../domain/token/secret-plan.ts';
import type { SecretFailure } from '../../domain/token/token-observation.ts';
import type { TokenPlan } from '../../domain/token/token-outcome.ts';
import type { WritableCache } from '../../ports/cache.ts';
import {
  ApiError,
  getIfThere,
  isAlreadyExists,
  isNotFound,
  isRefused,
  type ResourceClient,
} from '../../ports/kube.ts';
import type { Secret, SecretMeta } from '../../ports/secrets.ts';
import type { Keyring, Signer } from '../../ports/signing.ts';
import type { KnownSecret, Observed } from './token-observer.ts';
import { changedSecret, newSecret } from './token-secret.ts';

/** Where a Token's plan is written to. */
export interface TokenSinks {
  readonly tokens: WritableCache<Token>;
  readonly secrets: WritableCache<SecretMeta>;
  readonly keyring: Keyring;
  readonly tokenClient: Pick<ResourceClient<Token>, 'updateStatus' | 'delete'>;
  readonly secretClient: Pick<ResourceClient<Secret>, 'get' | 'create' | 'update' | 'delete'>;
  readonly secretMetaOf: (secret: Secret) => SecretMeta;
}

type Delivery = Extract<TokenPlan, { kind: 'deliver' }>;

/** How the write of a Secret ended. */
export type SecretWritten =
  | { readonly kind: 'written' }
  /** What was planned from is not so any more: plan again. */
  | { readonly kind: 'stale' }
  /** A create met this Secret. */
  | { readonly kind: 'met'; readonly met: Secret }
  /** The namespace is gone or going. */
  | { readonly kind: 'gone' }
  /** The API server said no; `error` is to be thrown after the status says so, where retrying may help soon. */
  | { readonly kind: 'failed'; readonly failure: SecretFailure; readonly error: ApiError | undefined };

/** Quota, admission or validation, or too large for the API server. */
const isRefusal = (error: ApiError): boolean => error.status === 413 || isRefused(error);

const classifyWriteFailure = (error: unknown, name: string): SecretWritten => {
  if (!(error instanceof ApiError)) throw error;
  const { status, reason } = error;
  const answer = reason === '' ? `${status}` : `${status} ${reason}`;
  if (isRefusal(error)) {
    const message = `the API server refuses Secret "${name}" (${answer}): a quota, an admission policy or spec.secret stands in its way`;
    return { kind: 'failed', failure: { reason: 'SecretRefused', message }, error: undefined };
  }
  if (status < 500) throw error;
  const message = `Secret "${name}" could not be written (${answer}): tried again`;
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
    sinks.secrets.observe(sinks.secretMetaOf(created));
    return { kind: 'written' };
  } catch (error) {
    if (isNotFound(error)) return { kind: 'gone' };
    if (!isAlreadyExists(error)) return classifyWriteFailure(error, write.name);
  }
  const ref = { namespace: token.metadata.namespace, name: write.name };
  const met = await getIfThere(sinks.secretClient, ref, signal);
  return met ? { kind: 'met', met } : { kind: 'stale' };
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
  const isReadFirst = known.live === undefined && write.keepsContent;
  const live = isReadFirst ? await getIfThere(sinks.secretClient, metadata, signal) : known.live;
  if (isReadFirst && live === undefined) return forget();
  try {
    const changed = changedSecret(write, { meta: known.meta, live }, jwt);
    const updated = await sinks.secretClient.update(changed, { signal });
    sinks.secrets.observe(sinks.secretMetaOf(updated));
    return { kind: 'written' };
  } catch (error) {
    return isNotFound(error) ? forget() : classifyWriteFailure(error, write.name);
  }
};

/**
 * Signs and writes a Token's Secret: a create where none was observed, else a PUT on uid and resourceVersion.
 * @throws ApiError on a conflict, and where the API server did not answer
 */
export const writeSecret = async (
  sinks: TokenSinks,
  { observation, secrets }: Observed,
  { write, jwt: planned, signal }: Pick<Delivery, 'write' | 'jwt'> & { readonly signal: AbortSignal },
): Promise<SecretWritten> => {
  const signer = sinks.keyring.active();
  if (planned && planned.kid !== signer?.kid) return { kind: 'stale' };
  const jwt = await signWith(signer, planned);
  if (write.over === undefined) return createSecret(sinks, { token: observation.token, write, jwt }, signal);
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
  const isOurs = isOwnedBy(token.metadata.uid, secret?.metadata.ownerReferences);
  return isOurs && secret?.metadata.deletionTimestamp === undefined ? secret?.metadata : undefined;
};

/**
 * Removes Secrets of the Token, each on uid and resourceVersion; one that is gone or somebody else's is passed over.
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
    try {
      await sinks.secretClient.delete(ref, { uid, resourceVersion }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    sinks.secrets.forget(keyOf(ref), uid);
  }
};

/**
 * Writes a Token's status over the one that was read. False where the Token is gone.
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
    const answer = await sinks.tokenClient.updateStatus(
      { metadata: { name, namespace, uid, resourceVersion }, status },
      { signal },
    );
    sinks.tokens.observe(answer);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
};

/**
 * Deletes a Token on uid and resourceVersion; its Secret goes with its owner. Nothing where it is gone already.
 * @throws ApiError on a conflict or any other failure
 */
export const deleteToken = async (sinks: TokenSinks, token: Token, signal: AbortSignal): Promise<void> => {
  const { uid, resourceVersion } = token.metadata;
  try {
    await sinks.tokenClient.delete(token.metadata, { uid, resourceVersion }, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  sinks.tokens.forget(keyOf(token.metadata), uid);
};
