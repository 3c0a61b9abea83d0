import type { SigningKey } from '../../api/signing-key.ts';
import { heldResourceMetadata, ROTATE_REQUEST, requestedValue } from '../held-metadata.ts';

/** What caches hold of a SigningKey: its spec and status, and of its metadata what plans compare, the rotate annotation as a status remembers it. */
export const cachedSigningKeyOf = ({ apiVersion, kind, metadata, spec, status }: SigningKey): SigningKey => {
  const rotate = requestedValue(ROTATE_REQUEST, metadata);
  return {
    apiVersion,
    kind,
    metadata: {
      ...heldResourceMetadata(metadata),
      ...(rotate !== undefined && { annotations: { [ROTATE_REQUEST.annotation]: rotate } }),
    },
    spec,
    ...(status && { status }),
  };
};
