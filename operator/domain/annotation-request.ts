import { GROUP, type ObjectMeta } from '../api/meta.ts';
import { canonicalDigest } from './canonical-json.ts';

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
