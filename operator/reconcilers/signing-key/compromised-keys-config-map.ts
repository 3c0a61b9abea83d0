import {
  addCompromised,
  areSameKeys,
  COMPROMISED_KEYS_CONFIG_MAP,
  type CompromisedKeys,
  readCompromisedKeys,
  writeCompromisedKeys,
} from '../../domain/key/compromised-keys.ts';
import { ownLabelsOf } from '../../domain/own-mark.ts';
import type { ConfigMap } from '../../ports/config-maps.ts';
import { getIfThere } from '../../ports/kube.ts';
import type { JwksSinks } from './jwks-config-map.ts';

/** What is remembered, and why it could not be written. */
interface Remembered {
  readonly keys: CompromisedKeys;
  readonly failure?: { readonly error: unknown };
}

const LABELS = ownLabelsOf(COMPROMISED_KEYS_CONFIG_MAP);

/** Its labels don't matter: it is watched by its name. */
const isKept = ({ data }: ConfigMap, keys: CompromisedKeys): boolean =>
  areSameKeys(readCompromisedKeys(data), keys);

/**
 * The compromised keys that the operator remembers: those of its ConfigMap, read as it is now, and those that this process has seen,
 * so that a leader restores what others remove. The ConfigMap is never deleted, and no SigningKey owns it.
 */
export class CompromisedKeysMemory {
  readonly #sinks: JwksSinks;
  readonly #namespace: string;
  #seen: CompromisedKeys = { kids: new Set(), hasOverflowed: false };

  constructor(sinks: JwksSinks, namespace: string) {
    this.#sinks = sinks;
    this.#namespace = namespace;
  }

  /**
   * Adds kids, and writes the ConfigMap if it lacks some. A failed write is part of the result, since it must not keep a compromised key
   * from being replaced. @throws ApiError if the ConfigMap can't be read
   */
  async remember(kids: Iterable<string>, signal: AbortSignal): Promise<Remembered> {
    const ref = { namespace: this.#namespace, name: COMPROMISED_KEYS_CONFIG_MAP };
    const live = await getIfThere(this.#sinks.configMapClient, ref, signal);
    const stored = readCompromisedKeys(live?.data);
    const known = addCompromised(stored, this.#seen.kids);
    const hasOverflowed = known.hasOverflowed || this.#seen.hasOverflowed;
    const keys = addCompromised({ ...known, hasOverflowed }, kids);
    this.#seen = keys;
    if (live ? isKept(live, keys) : keys.kids.size === 0) return { keys };
    try {
      await this.#write(live, keys, signal);
      return { keys };
    } catch (error) {
      return { keys, failure: { error } };
    }
  }

  async #write(live: ConfigMap | undefined, keys: CompromisedKeys, signal: AbortSignal): Promise<void> {
    const { configMaps, configMapClient } = this.#sinks;
    const data = writeCompromisedKeys(keys, live?.data);
    const metadata = { namespace: this.#namespace, name: COMPROMISED_KEYS_CONFIG_MAP, labels: LABELS };
    const written = live
      ? await configMapClient.update(
          { ...live, metadata: { ...live.metadata, labels: { ...live.metadata.labels, ...LABELS } }, data },
          { signal },
        )
      : await configMapClient.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, { signal });
    configMaps.putIfNewer(written);
  }
}
