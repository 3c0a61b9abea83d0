import { GROUP, VERSION } from '../api/meta.ts';
import type { ResourceType } from '../ports/kube.ts';

const own = (plural: string, kind: string): ResourceType => ({
  group: GROUP,
  version: VERSION,
  plural,
  kind,
  namespaced: true,
});
const core = (plural: string, kind: string): ResourceType => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});

/** Declared tokens (contract §2.1). */
export const TOKENS = own('tokens', 'Token');
/** Handed-out tokens (contract §2.2). */
export const ISSUED_TOKENS = own('issuedtokens', 'IssuedToken');
/** Handed-out tokens, many an object (contract §2.3). */
export const TOKEN_BATCHES = own('tokenbatches', 'TokenBatch');
/** Contract §2.4. */
export const OAUTH_CLIENTS = own('oauthclients', 'OAuthClient');
/** Contract §2.5. */
export const SIGNING_KEYS = own('signingkeys', 'SigningKey');
export const SECRETS = core('secrets', 'Secret');
export const CONFIG_MAPS = core('configmaps', 'ConfigMap');
export const NAMESPACES: ResourceType = { ...core('namespaces', 'Namespace'), namespaced: false };
export const EVENTS: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};
export const LEASES: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

/** `apiVersion` of a type's objects. */
export const apiVersionOf = ({ group, version }: ResourceType): string =>
  group === '' ? version : `${group}/${version}`;
