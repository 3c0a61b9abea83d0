import type { Token } from '../../api/token.ts';
import { isOwnedBy, ownerReferenceTo, type SecretWrite } from '../../domain/token/secret-plan.ts';
import type { ObservedJwt, ObservedSecret } from '../../domain/token/token-observation.ts';
import type { ChangedObject, NewObject } from '../../ports/kube.ts';
import type { Secret, SecretMeta } from '../../ports/secrets.ts';
import type { Keyring } from '../../ports/signing.ts';
import { controllingToken } from './token-indexes.ts';

/** Bounds of what is looked at in a Secret that others may write to. */
const MAX_KEYS = 16;
const MAX_BASE64_LENGTH = 128 * 1024;

const isOfPredecessor = ({ metadata }: Token, secret: SecretMeta): boolean => {
  const controller = controllingToken(secret);
  return controller?.name === metadata.name && controller.uid !== metadata.uid;
};

/** What a Token's plan needs to know of a Secret, from its metadata. */
export const describeSecret = (token: Token, secret: SecretMeta): ObservedSecret => {
  const { metadata, fields } = secret;
  return {
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    owned: isOwnedBy(token.metadata.uid, metadata.ownerReferences),
    ofPredecessor: isOfPredecessor(token, secret),
    terminating: metadata.deletionTimestamp !== undefined,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    fields,
  };
};

/** The JWTs in a Secret that our keys have signed, looked for under the `likely` data keys first; what else there is says nothing. */
export const readJwts = async (
  { data = {} }: Secret,
  { likely, keyring }: { readonly likely: readonly string[]; readonly keyring: Keyring },
): Promise<ObservedJwt[]> => {
  const keys = new Set([...likely.filter((key) => Object.hasOwn(data, key)), ...Object.keys(data)]);
  const candidates = [...keys]
    .map((key) => [key, data[key] ?? ''] as const)
    .filter(([, value]) => value.length <= MAX_BASE64_LENGTH)
    .slice(0, MAX_KEYS);
  const jwts: ObservedJwt[] = [];
  for (const [dataKey, value] of candidates) {
    const verified = await keyring.verify(Buffer.from(value, 'base64').toString('utf8'));
    if (verified) jwts.push({ dataKey, kid: verified.kid, claims: verified.claims });
  }
  return jwts;
};

const without = <T>(members: Readonly<Record<string, T>> | undefined, names: readonly string[]) =>
  Object.fromEntries(Object.entries(members ?? {}).filter(([name]) => !names.includes(name)));

const jwtData = (write: SecretWrite, jwt: string | undefined): Record<string, string> =>
  jwt === undefined ? {} : { [write.dataKey]: Buffer.from(jwt).toString('base64') };

/** A Token's Secret as it is first made (spec §2.1). */
export const newSecret = (token: Token, write: SecretWrite, jwt: string | undefined): NewObject<Secret> => ({
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
  data: jwtData(write, jwt),
});

/**
 * A Token's Secret over the one in place: labels, annotations, owners, finalizers and data of others stay. Without `live` the
 * Secret's data is ours alone.
 */
export const changedSecret = (
  write: SecretWrite,
  inPlace: { readonly meta: SecretMeta; readonly live: Secret | undefined },
  jwt: string | undefined,
): ChangedObject<Secret> => {
  const { meta, live } = inPlace;
  const { name, namespace, uid, labels, annotations, ownerReferences, finalizers } = meta.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: live?.type ?? 'Opaque',
    ...(live?.immutable !== undefined && { immutable: live.immutable }),
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion: write.over?.resourceVersion ?? '',
      labels: { ...without(labels, write.drop.labels), ...write.labels },
      annotations: { ...without(annotations, write.drop.annotations), ...write.annotations },
      ownerReferences: ownerReferences ?? [],
      ...(finalizers && { finalizers }),
    },
    data: { ...without(live?.data, write.drop.data), ...jwtData(write, jwt) },
  };
};
