import type { SigningKey } from '../../api/signing-key.ts';
import { SIGNING_KEY_LABEL } from '../../domain/key/key-secrets.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { ConfigMap } from '../../ports/config-maps.ts';
import type { SecretMeta } from '../../ports/secrets.ts';
import { signingKeyOfConfigMap } from './jwks-config-map.ts';

const FOLLOWER = 'SigningKey/';

/** Under which name a SigningKey follows Secrets (ports/secrets.ts, NamedSecrets). */
export const signingKeyFollowerOf = (key: string): string => `${FOLLOWER}${key}`;

/** The SigningKey whose Secret changed, where one follows it. */
export const signingKeyOfFollower = (owner: string): string | undefined =>
  owner.startsWith(FOLLOWER) ? owner.slice(FOLLOWER.length) : undefined;

/** Every SigningKey: the key set in each ConfigMap is that of all of them. */
export const signingKeyTriggers = (signingKeys: Cache<SigningKey>): string[] => [...signingKeys.keys()];

const objectOf = <T>(change: CacheChange<T>): T => (change.type === 'set' ? change.object : change.old);

/** The SigningKey that a Secret of ours was made for. */
export const signingKeyOfSecret = (change: CacheChange<SecretMeta>): string | undefined => {
  const { namespace, labels } = objectOf(change).metadata;
  const name = labels?.[SIGNING_KEY_LABEL] ?? change.old?.metadata.labels?.[SIGNING_KEY_LABEL];
  return name === undefined ? undefined : `${namespace}/${name}`;
};

/** The SigningKey whose key set a ConfigMap of ours holds. */
export const signingKeyOfJwks = (change: CacheChange<ConfigMap>): string | undefined => {
  const { namespace, name } = objectOf(change).metadata;
  const signingKey = signingKeyOfConfigMap(name);
  return signingKey === undefined ? undefined : `${namespace}/${signingKey}`;
};
