import { GROUP, type ObjectMeta } from '../api/meta.ts';
import { canonicalDigest } from './canonical-json.ts';

/** Texts that are kept; where more are in use they are kept several times over. */
const MAX_SHARED = 8192;

const shareIn = <T>(known: Map<string, T>, key: string, value: T): T => {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= MAX_SHARED) known.clear();
  known.set(key, value);
  return value;
};

const texts = new Map<string, string>();
const lists = new Map<string, readonly string[]>();

/** An equal text, the same for all who ask: what a hundred thousand records have in common is in memory once. */
export const sharedText = (text: string): string => shareIn(texts, text, text);

/** Likewise a list of texts, which is frozen. */
export const sharedList = (list: readonly string[]): readonly string[] =>
  shareIn(lists, JSON.stringify(list), Object.freeze(list.map(sharedText)));

/** What of an object's metadata caches hold, whatever its kind: no labels, annotations, owners and finalizers, of which a user may set a megabyte. */
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

/** {@link heldMetadata} with the generation, of an object whose status names it. */
export const heldResourceMetadata = (metadata: ObjectMeta): ObjectMeta => ({
  ...heldMetadata(metadata),
  ...(metadata.generation !== undefined && { generation: metadata.generation }),
});

/** The longest text, in UTF-16 code units, that caches hold as it is. */
const MAX_HELD_LENGTH = 128;
const DIGEST_PREFIX = 'sha256:';
const DIGEST_LENGTH = DIGEST_PREFIX.length + 43;

/** A user's text as caches hold it: itself, or a digest if it is long. The held form of a held form is the same, so that either can be compared. */
export const heldText = (text: string): string =>
  text.length <= MAX_HELD_LENGTH ? text : `${DIGEST_PREFIX}${canonicalDigest(text)}`;

/** Whether a held text may stand for a longer one, which only the API server has. */
export const mayBeDigest = (held: string): boolean =>
  held.length === DIGEST_LENGTH && held.startsWith(DIGEST_PREFIX);

/** The {@link heldText} of each value. */
export const heldTexts = (texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, heldText(text)]));

/** An action that users request with an annotation: each new value requests it once. */
interface AnnotationRequest {
  readonly annotation: string;
  /** The longest value, in UTF-16 code units, that a status stores as it is. */
  readonly maxStoredLength: number;
  /** Precedes the digest that a status stores of a longer value. */
  readonly digestPrefix: string;
}

/** Requests the renewal of a declared token (spec §2.1). */
export const RENEW_REQUEST: AnnotationRequest = {
  annotation: `${GROUP}/renew`,
  maxStoredLength: 253,
  digestPrefix: 'sha256:',
};

/** Requests the rotation of a SigningKey (spec §2.5). */
export const ROTATE_REQUEST: AnnotationRequest = {
  annotation: `${GROUP}/rotate`,
  maxStoredLength: 1024,
  digestPrefix: '',
};

/** The value of the annotation in the form in which a status remembers it (`lastHandled…`); undefined if it is absent. */
export const requestedValue = (
  { annotation, maxStoredLength, digestPrefix }: AnnotationRequest,
  { annotations }: Pick<ObjectMeta, 'annotations'>,
): string | undefined => {
  const value = annotations?.[annotation];
  if (value === undefined || value.length <= maxStoredLength) return value;
  return `${digestPrefix}${canonicalDigest(value)}`;
};
