import type { ObjectMeta, OwnerReference } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import {
  controllerOf,
  controllerReferenceTo,
  type MadeFor,
  markingOf,
  ownAnnotationsOf,
  ownLabelsOf,
  withController,
} from '../own-mark.ts';
import { requestedClientID } from './client-rules.ts';
import { CLIENT_ID_KEY, readClientSecrets } from './client-secret.ts';

type Data = Readonly<Record<string, string>>;

/** A Secret as it was read; the values of `data` are base64. */
export interface ReadSecret {
  readonly metadata: Pick<ObjectMeta, 'name' | 'labels' | 'annotations' | 'ownerReferences'>;
  readonly data?: Data;
  readonly immutable?: boolean;
}

/** What the operator writes to the Secret with a client secret that it generates. */
interface GeneratedContent {
  readonly metadata: Required<Pick<ObjectMeta, 'labels' | 'annotations' | 'ownerReferences'>>;
  readonly data: Data;
}

/** What a client's spec asks for: the data key, and a new secret if one is needed. */
interface Wanted {
  readonly key: string;
  readonly makeSecret: () => string;
}

const encode = (text: string): string => Buffer.from(text).toString('base64');

const madeFor = ({ metadata }: OAuthClient): MadeFor => ({ kind: 'OAuthClient', name: metadata.name });

const referenceTo = (client: OAuthClient): OwnerReference =>
  controllerReferenceTo(madeFor(client), client.metadata.uid);

const contentOf = (client: OAuthClient, name: string, found: ReadSecret | undefined): GeneratedContent => {
  const { labels, annotations, ownerReferences } = found?.metadata ?? {};
  return {
    metadata: {
      labels: { ...labels, ...ownLabelsOf(name) },
      annotations: { ...annotations, ...ownAnnotationsOf(name, madeFor(client)) },
      ownerReferences: withController(ownerReferences, referenceTo(client)),
    },
    data: { ...found?.data, [CLIENT_ID_KEY]: encode(requestedClientID(client)) },
  };
};

/** The content of a Secret that is created under that name, with a new client secret. */
export const newGeneratedSecret = (
  client: OAuthClient,
  name: string,
  { key, makeSecret }: Wanted,
): GeneratedContent => {
  const content = contentOf(client, name, undefined);
  return { ...content, data: { ...content.data, [key]: encode(makeSecret()) } };
};

/** Whether the client is the controller of an object with these owner references. */
export const isControlledBy = (
  { metadata }: OAuthClient,
  references: readonly OwnerReference[] | undefined,
) => controllerOf(references)?.uid === metadata.uid;

/**
 * Whether the operator generated the Secret for the client: the client is its controller; or nothing is, as after a restore from a
 * backup, and its marks say so. Those of versions before them count if the Secret has the client ID. One that a deleted client of
 * the same name controls is left to Kubernetes' garbage collector: who deletes a client and creates it again may want a new secret.
 */
export const isGenerated = (client: OAuthClient, { metadata, data }: ReadSecret): boolean => {
  const controller = controllerOf(metadata.ownerReferences);
  if (controller !== undefined) return controller.uid === client.metadata.uid;
  const marking = markingOf(metadata, madeFor(client));
  return (
    marking === 'Own' || (marking === 'Legacy' && data?.[CLIENT_ID_KEY] === encode(requestedClientID(client)))
  );
};

const namesOfDifferent = (found: Data = {}, wanted: Data): string[] =>
  Object.keys(wanted).filter((name) => found[name] !== wanted[name]);

/** The fields of a generated Secret, beside its data, that are not as the operator has written them: others change them. None in one of an earlier version. */
export const findOverwrittenFields = (client: OAuthClient, { metadata }: ReadSecret): string[] => {
  const { name, labels, annotations, ownerReferences } = metadata;
  if (markingOf(metadata, madeFor(client)) === 'Legacy') return [];
  return [
    ...namesOfDifferent(labels, ownLabelsOf(name)).map((label) => `metadata.labels["${label}"]`),
    ...namesOfDifferent(annotations, ownAnnotationsOf(name, madeFor(client))).map(
      (annotation) => `metadata.annotations["${annotation}"]`,
    ),
    ...(isControlledBy(client, ownerReferences) ? [] : ['metadata.ownerReferences']),
  ];
};

/** How to repair a generated Secret; `replace` if nobody can change it, so that it has to be deleted and created again. */
export type GeneratedSecretRepair = GeneratedContent & { readonly replace: boolean };

/**
 * What is missing or wrong in a Secret that the operator generated; undefined if nothing is. A client secret that is there is never
 * replaced, and an immutable Secret that has one is never deleted.
 */
export const planGeneratedRepair = (
  client: OAuthClient,
  found: ReadSecret,
  { key, makeSecret }: Wanted,
): GeneratedSecretRepair | undefined => {
  const { metadata, data, immutable = false } = found;
  const hasSecret = readClientSecrets(data, key).current !== undefined;
  const content = contentOf(client, metadata.name, found);
  const isClientIDKept = key === CLIENT_ID_KEY || (immutable && hasSecret);
  const kept = isClientIDKept ? { ...data } : content.data;
  const wanted = hasSecret ? kept : { ...content.data, [key]: encode(makeSecret()) };
  const marking = markingOf(metadata, madeFor(client));
  const isMarked = marking === 'Own' || marking === 'Legacy';
  const isSameData = hasSecret && (isClientIDKept || data?.[CLIENT_ID_KEY] === content.data[CLIENT_ID_KEY]);
  if (isSameData && isMarked && isControlledBy(client, metadata.ownerReferences)) return undefined;
  return { ...content, data: wanted, replace: immutable && !isSameData };
};
