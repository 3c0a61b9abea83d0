import { API_VERSION, MANAGED_BY_LABEL, MANAGER } from '../../api/meta.ts';
import type { OAuthClient, OAuthClientSpec } from '../../api/oauth-client.ts';
import type { CredentialsFinding } from '../../domain/client/client-credentials.ts';
import { isRegistered, requestedClientID } from '../../domain/client/client-rules.ts';
import { CLIENT_ID_KEY, findShortSecrets, readClientSecrets } from '../../domain/client/client-secret.ts';
import {
  ApiError,
  type ChangedObject,
  getIfThere,
  isAlreadyExists,
  isRejected,
  type NewObject,
  type ResourceClient,
  secretRejection,
} from '../../ports/kube.ts';
import type { Secret } from '../../ports/secrets.ts';

export interface CredentialsSecretOptions {
  readonly secretClient: Pick<ResourceClient<Secret>, 'get' | 'create' | 'update'>;
  /** 43 base64url characters from the system's randomness. */
  readonly newClientSecret: () => string;
}

type ClientSecretSpec = NonNullable<NonNullable<OAuthClientSpec['authentication']>['clientSecret']>;

const invalid = (message: string): CredentialsFinding => ({
  method: 'clientSecret',
  problem: { reason: 'SecretInvalid', message },
});

/** It says nothing about the secret but that it is short, and where it is. */
const workingFinding = (name: string, short: readonly string[]): CredentialsFinding => {
  if (short.length === 0) return { method: 'clientSecret' };
  const keys = short.map((key) => `"${key}"`).join(' and ');
  const message = `key ${keys} of Secret "${name}" has fewer than 16 characters, which can be guessed: use 16 random ones or more, or generate: true with an empty key`;
  return { method: 'clientSecret', weakness: { reason: 'SecretTooShort', message } };
};

const isOwn = (client: OAuthClient, { metadata }: Secret): boolean =>
  metadata.ownerReferences?.some(
    ({ uid, controller }) => controller === true && uid === client.metadata.uid,
  ) ?? false;

const encode = (text: string): string => Buffer.from(text).toString('base64');

const generatedSecret = (
  client: OAuthClient,
  { secretRef }: ClientSecretSpec,
  secret: string,
): NewObject<Secret> => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: {
    namespace: client.metadata.namespace,
    name: secretRef.name,
    labels: { [MANAGED_BY_LABEL]: MANAGER },
    ownerReferences: [
      {
        apiVersion: API_VERSION,
        kind: 'OAuthClient',
        name: client.metadata.name,
        uid: client.metadata.uid,
        controller: true,
      },
    ],
  },
  data: { [CLIENT_ID_KEY]: encode(requestedClientID(client)), [secretRef.key]: encode(secret) },
});

/** The Secret that the operator made, with what is missing or wrong in it; undefined where nothing is. A secret that is there is never replaced. */
const repairedSecret = (
  client: OAuthClient,
  found: Secret,
  { key, makeSecret }: { key: string; makeSecret: () => string },
): ChangedObject<Secret> | undefined => {
  const clientID = encode(requestedClientID(client));
  const hasSecret = readClientSecrets(found.data, key).current !== undefined;
  const hasClientID = key === CLIENT_ID_KEY || found.data?.[CLIENT_ID_KEY] === clientID;
  const hasLabel = found.metadata.labels?.[MANAGED_BY_LABEL] === MANAGER;
  if (hasSecret && hasClientID && hasLabel) return undefined;
  const data = {
    ...found.data,
    ...(!hasClientID && { [CLIENT_ID_KEY]: clientID }),
    ...(!hasSecret && { [key]: encode(makeSecret()) }),
  };
  const labels = { ...found.metadata.labels, [MANAGED_BY_LABEL]: MANAGER };
  return { ...found, metadata: { ...found.metadata, labels }, data };
};

const refused = (name: string, error: unknown): CredentialsFinding => {
  if (!(error instanceof ApiError && isRejected(error))) throw error;
  return invalid(secretRejection(error, `Secret "${name}"`));
};

/**
 * Reads the Secret with the client secret. If the client requests it and is registered, creates or restores it. A Secret that
 * the operator did not create is read and never written.
 * @throws ApiError on a conflict and on what the API server could not do
 */
export const findClientSecret = async (
  { secretClient, newClientSecret }: CredentialsSecretOptions,
  { client, spec, signal }: { client: OAuthClient; spec: ClientSecretSpec; signal: AbortSignal },
): Promise<CredentialsFinding> => {
  const { name, key } = spec.secretRef;
  const ref = { namespace: client.metadata.namespace, name };
  const mayWrite = spec.generate === true && isRegistered(client);
  const read = (): Promise<Secret | undefined> => getIfThere(secretClient, ref, signal);
  let found = await read();
  try {
    if (!found && mayWrite) {
      found = await secretClient
        .create(generatedSecret(client, spec, newClientSecret()), { signal })
        .catch((error: unknown) => (isAlreadyExists(error) ? read() : Promise.reject(error)));
    }
    const repaired =
      found && mayWrite && isOwn(client, found)
        ? repairedSecret(client, found, { key, makeSecret: newClientSecret })
        : undefined;
    if (repaired) found = await secretClient.update(repaired, { signal });
  } catch (error) {
    return refused(name, error);
  }
  if (!found) return invalid(`Secret "${name}" is missing`);
  const secrets = readClientSecrets(found.data, key);
  if (secrets.current !== undefined) return workingFinding(name, findShortSecrets(secrets, key));
  const isKeyThere = found.data?.[key] !== undefined;
  return invalid(`key "${key}" of Secret "${name}" is ${isKeyThere ? 'empty or no UTF-8 text' : 'missing'}`);
};
