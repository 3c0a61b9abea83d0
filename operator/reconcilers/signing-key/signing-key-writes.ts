import { findCondition } from '../../api/meta.ts';
import type { Algorithm, KeyEntry, SigningKey, SigningKeyStatus } from '../../api/signing-key.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import type { KeySecretChange } from '../../domain/key/key-secret-changes.ts';
import {
  COMPROMISED_KIDS,
  KEY_SECRET_TYPE,
  type KeySecret,
  keySecretAnnotations,
  keySecretMarks,
  keySecretName,
  PRIVATE_PEM,
  RETIRED_KEYS,
} from '../../domain/key/key-secrets.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { EventRecorder } from '../../ports/events.ts';
import type { KeyPairs } from '../../ports/keys.ts';
import { deleteForSuccessor, deleteIfPresent, type ResourceClient } from '../../ports/kube.ts';
import type { Secret } from '../../ports/secrets.ts';

/** Where a SigningKey's plan is written to. */
export interface SigningKeySinks {
  readonly signingKeys: WritableCache<SigningKey>;
  readonly signingKeyClient: Pick<ResourceClient<SigningKey>, 'get' | 'create' | 'updateStatus'>;
  readonly secretClient: Pick<ResourceClient<Secret>, 'get' | 'create' | 'update' | 'delete'>;
  readonly keyPairs: Pick<KeyPairs, 'read' | 'generate'>;
  readonly events: EventRecorder;
}

const encode = (text: string): string => Buffer.from(text).toString('base64');

/** Makes a key pair and stores it, not yet published. @throws ApiError */
export const createKeySecret = async (
  sinks: SigningKeySinks,
  { signingKey, algorithm, signal }: { signingKey: SigningKey; algorithm: Algorithm; signal: AbortSignal },
): Promise<Secret> => {
  const key = await sinks.keyPairs.generate(algorithm);
  const { namespace, name } = signingKey.metadata;
  const marks = keySecretMarks(name, key.kid);
  return sinks.secretClient.create(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      type: KEY_SECRET_TYPE,
      // No owner: deleting a SigningKey deletes no key (spec §2.5).
      metadata: {
        namespace,
        name: keySecretName(name, key.kid),
        labels: marks.labels,
        annotations: { ...marks.annotations, ...keySecretAnnotations(key) },
      },
      data: { [PRIVATE_PEM]: encode(key.privatePem) },
    },
    { signal },
  );
};

/** Deletes a Secret that a user made immutable, in the version that was read, and creates it again with other data. */
const replaceKeySecret = async (
  { secretClient }: Pick<SigningKeySinks, 'secretClient'>,
  changed: Secret,
  signal: AbortSignal,
): Promise<void> => {
  const successor = await deleteForSuccessor(secretClient, changed, signal);
  await secretClient.create(successor, { signal });
};

/** Brings a key Secret's metadata and what it remembers of other keys to what the plan says. @throws ApiError on a conflict */
export const changeKeySecret = async (
  { secretClient }: Pick<SigningKeySinks, 'secretClient'>,
  { change, live, signal }: { change: KeySecretChange; live: Secret | undefined; signal: AbortSignal },
): Promise<void> => {
  if (!live) return;
  const { [RETIRED_KEYS]: _, [COMPROMISED_KIDS]: __, ...data } = live.data ?? {};
  const { labels, annotations, retired, compromised } = change;
  const store = {
    ...(retired.length > 0 && { [RETIRED_KEYS]: encode(JSON.stringify(retired)) }),
    ...(compromised.length > 0 && { [COMPROMISED_KIDS]: encode(JSON.stringify(compromised)) }),
  };
  const metadata = { ...live.metadata, labels, annotations };
  const changed: Secret = { ...live, metadata, data: { ...data, ...store } };
  const isSameData = canonicalJson(changed.data) === canonicalJson(live.data);
  if (live.immutable && !isSameData) await replaceKeySecret({ secretClient }, changed, signal);
  else await secretClient.update(changed, { signal });
};

/** Deletes a private half that the operator made, if it is still what was planned from. @throws ApiError on a conflict */
export const removeKeySecret = async (
  { secretClient }: SigningKeySinks,
  { name, uid, resourceVersion }: KeySecret,
  { namespace, signal }: { namespace: string; signal: AbortSignal },
): Promise<void> => {
  await deleteIfPresent(secretClient.delete({ namespace, name }, { uid, resourceVersion }, { signal }));
};

const activeKid = (keys: readonly KeyEntry[] | undefined): string | undefined =>
  keys?.find(({ phase }) => phase === 'Active')?.kid;

/** Writes the status over the one that was planned from, and notes a new Active key or a condition that turned False. @throws ApiError on a conflict */
export const writeSigningKeyStatus = async (
  { signingKeys, signingKeyClient, events }: SigningKeySinks,
  signingKey: SigningKey,
  { status, signal }: { status: SigningKeyStatus; signal: AbortSignal },
): Promise<void> => {
  signingKeys.putIfNewer(
    await signingKeyClient.updateStatus({ metadata: signingKey.metadata, status }, { signal }),
  );
  const before = findCondition(signingKey.status?.conditions, 'Ready');
  const ready = findCondition(status.conditions, 'Ready');
  if (!ready) return;
  const isRotated = activeKid(status.keys) !== activeKid(signingKey.status?.keys);
  const { reason, message: note } = ready;
  // The first key is published before it signs: no Event is needed for that.
  const isBeginning = reason === 'NoActiveKey' && status.keys?.some(({ phase }) => phase === 'Published');
  if (ready.status === 'True' && isRotated) {
    events.record({ regarding: signingKey, type: 'Normal', reason, action: 'Rotate', note });
  } else if (ready.status === 'False' && before?.reason !== reason && !isBeginning) {
    events.record({ regarding: signingKey, type: 'Warning', reason, action: 'Rotate', note });
  }
};
