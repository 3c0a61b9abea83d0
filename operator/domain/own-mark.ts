import { createHash } from 'node:crypto';
import {
  API_VERSION,
  GROUP,
  MANAGED_BY_LABEL,
  MANAGER,
  type ObjectMeta,
  type OwnerReference,
} from '../api/meta.ts';
import { heldText } from './held-metadata.ts';

/** Label of every Secret and ConfigMap that the operator makes, by which they are watched: the object's own name, or a hash of a longer one. */
export const OWN_NAME_LABEL = `${GROUP}/own-name`;
/** Annotation of the same objects: the object's own name, and for which resource the operator made it. */
export const MADE_AS_ANNOTATION = `${GROUP}/made-as`;

/** For which resource, in the same namespace, an object was made. */
export interface MadeFor {
  readonly kind: 'Token' | 'OAuthClient' | 'SigningKey';
  readonly name: string;
}

type Labelled = Pick<ObjectMeta, 'name' | 'labels' | 'annotations'>;

/** The longest value of a label. */
const MAX_LABEL = 63;

const ownNameOf = (name: string): string =>
  name.length <= MAX_LABEL ? name : `sha256.${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;

const madeAsOf = (name: string, { kind, name: owner }: MadeFor): string => `${name} of ${kind} ${owner}`;

/** The controller reference of an object to the resource for which it is made, without `blockOwnerDeletion` (spec §2.1). */
export const controllerReferenceTo = ({ kind, name }: MadeFor, uid: string): OwnerReference => ({
  apiVersion: API_VERSION,
  kind,
  name,
  uid,
  controller: true,
});

/** The labels of an object that the operator makes. A copy under another name has those of the original. */
export const ownLabelsOf = (name: string): Readonly<Record<string, string>> => ({
  [MANAGED_BY_LABEL]: MANAGER,
  [OWN_NAME_LABEL]: ownNameOf(name),
});

/** The annotations of an object that the operator makes. */
export const ownAnnotationsOf = (name: string, madeFor: MadeFor): Readonly<Record<string, string>> => ({
  [MADE_AS_ANNOTATION]: madeAsOf(name, madeFor),
});

/**
 * What the marks of an object say:
 * - `Own`: label and annotation have its own name, and the annotation the resource;
 * - `Partial`: only one of the two has;
 * - `Legacy`: it has neither, and the label of versions that wrote neither;
 * - `Copy`: they have the name of another object, or another resource;
 * - `None`: it has no mark.
 */
export type Marking = 'Own' | 'Partial' | 'Legacy' | 'Copy' | 'None';

/** What the marks of an object say about it and the resource for which it would have been made; values may be as caches hold them. */
export const markingOf = ({ name, labels = {}, annotations = {} }: Labelled, madeFor: MadeFor): Marking => {
  const label = labels[OWN_NAME_LABEL];
  const annotation = annotations[MADE_AS_ANNOTATION];
  const right = [
    label === ownNameOf(name),
    annotation !== undefined && heldText(annotation) === heldText(madeAsOf(name, madeFor)),
  ].filter(Boolean).length;
  if (right === 2) return 'Own';
  if (right === 1) return 'Partial';
  if (label !== undefined || annotation !== undefined) return 'Copy';
  return labels[MANAGED_BY_LABEL] === MANAGER ? 'Legacy' : 'None';
};

/** Whether the marks do not say that the object is one of another name or resource. */
export const isNoCopy = (marking: Marking): boolean => marking !== 'Copy';

/** Whether an object has the label by which the operator's are watched, of this version or of those before. */
export const watchedBy = ({
  labels = {},
}: Pick<ObjectMeta, 'labels'>): 'OwnName' | 'ManagedBy' | undefined => {
  if (labels[OWN_NAME_LABEL] !== undefined) return 'OwnName';
  return labels[MANAGED_BY_LABEL] === MANAGER ? 'ManagedBy' : undefined;
};

/** Selects what {@link watchedBy} calls by these names; no object is selected by both. */
export const WATCH_SELECTORS = {
  OwnName: OWN_NAME_LABEL,
  ManagedBy: `${MANAGED_BY_LABEL}=${MANAGER},!${OWN_NAME_LABEL}`,
} as const;

/** The controller of an object with these owner references. */
export const controllerOf = (references: readonly OwnerReference[] | undefined): OwnerReference | undefined =>
  references?.find(({ controller }) => controller === true);

/** The owner references with that controller in the place of any other; those of others that control nothing stay. */
export const withController = (
  references: readonly OwnerReference[] | undefined,
  controller: OwnerReference,
): readonly OwnerReference[] => [
  ...(references ?? []).filter(
    (reference) => reference.controller !== true && reference.uid !== controller.uid,
  ),
  controller,
];
