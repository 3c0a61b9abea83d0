import type { OAuthClient, OAuthClientSpec } from '../../api/oauth-client.ts';
import type { CredentialsFinding } from '../../domain/client/client-credentials.ts';
import { isRegistered } from '../../domain/client/client-rules.ts';
import { findShortSecrets, readClientSecrets } from '../../domain/client/client-secret.ts';
import {
  findOverwrittenFields,
  type GeneratedSecretRepair,
  isControlledBy,
  isGenerated,
  newGeneratedSecret,
  planGeneratedRepair,
} from '../../domain/client/generated-secret.ts';
import {
  ApiError,
  deleteForSuccessor,
  getIfThere,
  isAlreadyExists,
  isRejected,
  type ResourceClient,
  secretRejection,
} from '../../ports/kube.ts';
import type { Secret } from '../../ports/secrets.ts';

export interface CredentialsSecretOptions {
  readonly oauthClients: Pick<ResourceClient<OAuthClient>, 'get'>;
  readonly secretClient: Pick<ResourceClient<Secret>, 'get' | 'create' | 'update' | 'delete'>;
  /** 43 base64url characters from the system's randomness. */
  readonly newClientSecret: () => string;
}

type ClientSecretSpec = NonNullable<NonNullable<OAuthClientSpec['authentication']>['clientSecret']>;

const NEW_SECRET = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque' } as const;

const invalid = (message: string): CredentialsFinding => ({
  method: 'clientSecret',
  problem: { reason: 'SecretInvalid', message },
});

const remarkOn = (name: string, fields: readonly string[]): Pick<CredentialsFinding, 'remark'> =>
  fields.length === 0
    ? {}
    : {
        remark: `others change ${fields.join(', ')} of Secret "${name}" when the operator writes it: exempt the Secret from the policy or controller that does`,
      };

/** It says nothing about the secret but that it is short, where it is, and which fields of the Secret others change. */
const workingFinding = (
  name: string,
  { short, overwritten }: { readonly short: readonly string[]; readonly overwritten: readonly string[] },
): CredentialsFinding => {
  const working = { method: 'clientSecret', ...remarkOn(name, overwritten) } as const;
  if (short.length === 0) return working;
  const keys = short.map((key) => `"${key}"`).join(' and ');
  const message = `key ${keys} of Secret "${name}" has fewer than 16 characters, which can be guessed: use 16 random ones or more, or generate: true with an empty key`;
  return { ...working, weakness: { reason: 'SecretTooShort', message } };
};

/** Writes a repair; an immutable Secret is deleted in the version that was read, and created again. */
const applyRepair = async (
  secretClient: CredentialsSecretOptions['secretClient'],
  { found, repair }: { readonly found: Secret; readonly repair: GeneratedSecretRepair },
  signal: AbortSignal,
): Promise<Secret> => {
  const { replace, metadata, data } = repair;
  const changed = { ...found, metadata: { ...found.metadata, ...metadata }, data };
  if (!replace) return secretClient.update(changed, { signal });
  return secretClient.create(await deleteForSuccessor(secretClient, changed, signal), { signal });
};

/**
 * Whether a Secret without a controller may get the client as its controller: a client that is being deleted, which the cache may not
 * show yet, would take the client secret with it, although `kubectl delete --cascade=orphan` asks for the opposite.
 */
const mayTakeOver = async (
  { oauthClients }: CredentialsSecretOptions,
  { metadata }: OAuthClient,
  signal: AbortSignal,
): Promise<boolean> => {
  const live = await getIfThere(oauthClients, metadata, signal);
  return live?.metadata.uid === metadata.uid && live.metadata.deletionTimestamp === undefined;
};

const refused = (name: string, error: unknown): CredentialsFinding => {
  if (!(error instanceof ApiError && isRejected(error))) throw error;
  return invalid(secretRejection(error, `Secret "${name}"`));
};

/**
 * Reads the Secret with the client secret. If the client requests it and is registered, creates, restores or takes it over. A Secret
 * that the operator did not create is read and never written.
 * @throws ApiError on a conflict and on what the API server could not do
 */
export const findClientSecret = async (
  options: CredentialsSecretOptions,
  { client, spec, signal }: { client: OAuthClient; spec: ClientSecretSpec; signal: AbortSignal },
): Promise<CredentialsFinding> => {
  const { secretClient, newClientSecret } = options;
  const { name, key } = spec.secretRef;
  const ref = { namespace: client.metadata.namespace, name };
  const mayWrite = spec.generate === true && isRegistered(client);
  const wanted = { key, makeSecret: newClientSecret };
  const read = (): Promise<Secret | undefined> => getIfThere(secretClient, ref, signal);
  let found = await read();
  let overwritten: readonly string[] = [];
  try {
    if (!found && mayWrite) {
      const { metadata, data } = newGeneratedSecret(client, name, wanted);
      const created = { ...NEW_SECRET, metadata: { ...ref, ...metadata }, data };
      found = await secretClient
        .create(created, { signal })
        .catch((error: unknown) => (isAlreadyExists(error) ? read() : Promise.reject(error)));
    }
    const repair =
      found && mayWrite && isGenerated(client, found)
        ? planGeneratedRepair(client, found, wanted)
        : undefined;
    const isOwned = isControlledBy(client, found?.metadata.ownerReferences);
    if (found && repair && (isOwned || (await mayTakeOver(options, client, signal))))
      found = await applyRepair(secretClient, { found, repair }, signal);
    if (found && mayWrite && isGenerated(client, found)) overwritten = findOverwrittenFields(client, found);
  } catch (error) {
    const finding = refused(name, error);
    // A secret that is there works, though a policy rejects its labels or its owner.
    if (readClientSecrets(found?.data, key).current === undefined) return finding;
  }
  if (!found) return invalid(`Secret "${name}" is missing`);
  const secrets = readClientSecrets(found.data, key);
  if (secrets.current !== undefined)
    return workingFinding(name, { short: findShortSecrets(secrets, key), overwritten });
  const isKeyThere = found.data?.[key] !== undefined;
  return invalid(`key "${key}" of Secret "${name}" is ${isKeyThere ? 'empty or no UTF-8 text' : 'missing'}`);
};
