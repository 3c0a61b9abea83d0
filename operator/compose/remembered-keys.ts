import { COMPROMISED_KEYS_CONFIG_MAP, readCompromisedKeys } from '../domain/key/compromised-keys.ts';
import type { RememberedKeys } from '../issuer/keys/keyring.ts';
import type { Cache } from '../ports/cache.ts';
import type { ConfigMap } from '../ports/config-maps.ts';

/** The compromised keys of the ConfigMap in the operator's namespace, as every replica's cache has it. */
export const rememberedKeysOf = (
  configMaps: Pick<Cache<ConfigMap>, 'get' | 'onChange'>,
  namespace: string,
): RememberedKeys => {
  const key = `${namespace}/${COMPROMISED_KEYS_CONFIG_MAP}`;
  return {
    kids: () => readCompromisedKeys(configMaps.get(key)?.data).kids,
    onChange: (handler) =>
      configMaps.onChange((change) => {
        if (change.key === key) handler();
      }),
  };
};
