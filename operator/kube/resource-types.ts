import { GROUP, VERSION } from '../api/meta.ts';
import type { ResourceType } from '../ports/kube.ts';

const namespacedIn =
  (group: string, version: string) =>
  (plural: string, kind: string): ResourceType => ({ group, version, plural, kind, namespaced: true });
const own = namespacedIn(GROUP, VERSION);
const core = namespacedIn('', 'v1');

/** Declared tokens (spec §2.1). */
export const TOKENS = own('tokens', 'Token');
/** Handed-out tokens (spec §2.2). */
export const ISSUED_TOKENS = own('issuedtokens', 'IssuedToken');
/** Handed-out tokens, many an object (spec §2.3). */
export const TOKEN_BATCHES = own('tokenbatches', 'TokenBatch');
/** Spec §2.4. */
export const OAUTH_CLIENTS = own('oauthclients', 'OAuthClient');
/** Spec §2.5. */
export const SIGNING_KEYS = own('signingkeys', 'SigningKey');
export const SECRETS = core('secrets', 'Secret');
export const CONFIG_MAPS = core('configmaps', 'ConfigMap');
export const NAMESPACES: ResourceType = { ...core('namespaces', 'Namespace'), namespaced: false };
export const EVENTS = namespacedIn('events.k8s.io', 'v1')('events', 'Event');
export const LEASES = namespacedIn('coordination.k8s.io', 'v1')('leases', 'Lease');

/** `apiVersion` of a type's objects. */
export const apiVersionOf = ({ group, version }: ResourceType): string =>
  group === '' ? version : `${group}/${version}`;
