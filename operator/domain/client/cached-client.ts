import type { OAuthClient } from '../../api/oauth-client.ts';
import { heldResourceMetadata } from '../held-metadata.ts';

/** What caches hold of an OAuthClient: its spec and status, and of its metadata what plans compare. */
export const cachedClientOf = ({ apiVersion, kind, metadata, spec, status }: OAuthClient): OAuthClient => ({
  apiVersion,
  kind,
  metadata: heldResourceMetadata(metadata),
  spec,
  ...(status && { status }),
});
