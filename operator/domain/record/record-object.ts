import type { ObjectMeta } from '../../api/meta.ts';
import { sharedText } from './shared-texts.ts';

/** What caches hold of an object with one or more records of issued tokens, whatever its kind. */
export interface RecordObject {
  readonly metadata: ObjectMeta;
  /** `<namespace>/<name>` of the OAuthClient. */
  readonly client: string;
  readonly clientUID: string;
}

/** What of an object's metadata caches hold. */
export const heldMetadata = (metadata: ObjectMeta): ObjectMeta => {
  const { name, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  return {
    name,
    namespace: sharedText(metadata.namespace),
    uid,
    resourceVersion,
    creationTimestamp,
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  };
};

/** Names of the indexes that the caches of such objects have in common. */
export const RECORD_OBJECT_INDEX = {
  owner: 'owner',
  /** By `<namespace>/<name>` of the OAuthClient. */
  client: 'client',
  /** By the kid of each key that signed a JWT of it. */
  kid: 'kid',
} as const;
