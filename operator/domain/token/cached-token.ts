import type { Token } from '../../api/token.ts';
import { RENEW_REQUEST, requestedValue } from '../annotation-request.ts';
import { heldResourceMetadata, heldTexts, mayBeDigest } from '../held-metadata.ts';

/**
 * What caches hold of a Token: of its metadata what plans compare, the renew annotation as a status remembers it, and long
 * annotations for its Secret as digests, which a Secret's are compared with. Holding it again changes nothing.
 */
export const cachedTokenOf = ({ apiVersion, kind, metadata, spec, status }: Token): Token => {
  const renew = requestedValue(RENEW_REQUEST, metadata);
  const { secret } = spec;
  return {
    apiVersion,
    kind,
    metadata: {
      ...heldResourceMetadata(metadata),
      ...(renew !== undefined && { annotations: { [RENEW_REQUEST.annotation]: renew } }),
    },
    spec: secret?.annotations
      ? { ...spec, secret: { ...secret, annotations: heldTexts(secret.annotations) } }
      : spec,
    ...(status && { status }),
  };
};

/** Whether the Token has to be read before its Secret is written: annotations for the Secret may be held as digests only. */
export const mayLackAnnotations = ({ spec }: Token): boolean =>
  Object.values(spec.secret?.annotations ?? {}).some(mayBeDigest);
