import type { KubeObject } from '../../../../operator/api/meta.ts';
import type { KeyEntry, SigningKey, SigningKeySpec } from '../../../../operator/api/signing-key.ts';
import type { Token } from '../../../../operator/api/token.ts';
import { joseKeyPairs } from '../../../../operator/crypto/key-pairs.ts';
import { SIGNING_KEY_LABEL } from '../../../../operator/domain/key/key-secrets.ts';
import type { ConfigMap } from '../../../../operator/ports/config-maps.ts';
import { ApiError, type ResourceClient } from '../../../../operator/ports/kube.ts';
import type { Secret } from '../../../../operator/ports/secrets.ts';
import type { DefaultSigningKey } from '../../../../operator/reconcilers/signing-key/default-signing-key.ts';
import { SigningKeyReconciler } from '../../../../operator/reconcilers/signing-key/signing-key-reconciler.ts';
import { TOKEN_INDEXERS } from '../../../../operator/reconcilers/token/token-triggers.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';

let version = 100;

/** As much of an API server as the reconciler needs, for one type in one namespace; `admit` is its admission. */
class Shelf<T extends KubeObject> {
  readonly objects = new Map<string, T>();
  admit: (object: T) => T = (object) => object;

  put(object: T): T {
    const stored = this.admit(structuredClone(object));
    const metadata = { ...stored.metadata, resourceVersion: `${++version}` };
    this.objects.set(metadata.name, { ...stored, metadata });
    return structuredClone({ ...stored, metadata });
  }

  find(name: string): T {
    const found = this.objects.get(name);
    if (!found) throw new ApiError('it is not there', { status: 404, reason: 'NotFound' });
    return structuredClone(found);
  }

  client(): Omit<ResourceClient<T>, 'type'> {
    const current = ({
      name,
      uid,
      resourceVersion,
    }: {
      name: string;
      uid: string;
      resourceVersion: string;
    }) => {
      const found = this.find(name);
      if (found.metadata.uid !== uid || found.metadata.resourceVersion !== resourceVersion)
        throw new ApiError('it changed', { status: 409, reason: 'Conflict' });
      return found;
    };
    return {
      get: async ({ name }) => this.find(name),
      create: async (object, { dryRun = false } = {}) => {
        const { name } = object.metadata;
        this.admit(structuredClone(object) as unknown as T);
        if (this.objects.has(name))
          throw new ApiError('it is there', { status: 409, reason: 'AlreadyExists' });
        if (dryRun) return structuredClone(object) as unknown as T;
        const metadata = {
          creationTimestamp: '2026-01-01T00:00:00Z',
          ...object.metadata,
          uid: `uid-${++version}`,
        };
        return this.put({ ...object, metadata } as unknown as T);
      },
      update: async (object) => {
        current(object.metadata);
        return this.put(object as unknown as T);
      },
      updateStatus: async ({ metadata, status }) => this.put({ ...current(metadata), status } as T),
      delete: async ({ name }, { uid, resourceVersion }) => {
        current({ name, uid, resourceVersion });
        this.objects.delete(name);
      },
    };
  }
}

/** The reconciler of SigningKeys over an API server in memory, with caches that are updated by the reconciler's own writes alone, and a fake clock. */
export class FakeSigningKeyApi {
  readonly log = recordedLog();
  readonly clock = new FakeClock();
  readonly signingKeys = new Shelf<SigningKey>();
  readonly secrets = new Shelf<Secret>();
  readonly configMaps = new Shelf<ConfigMap>();
  readonly cache = new ObjectStore<SigningKey>({ log: this.log });
  readonly #configMapCache = new ObjectStore<ConfigMap>({ log: this.log });
  readonly #reconciler: SigningKeyReconciler;

  /** `defaultKey` is the SigningKey that the reconciler creates. */
  constructor(defaultKey?: DefaultSigningKey) {
    this.#reconciler = new SigningKeyReconciler({
      namespace: 'system',
      defaultKey,
      jwksMembers: { jwks: 'All', signingKey: 'default' },
      signingKeys: this.cache,
      configMaps: this.#configMapCache,
      tokens: new ObjectStore<Token>({ log: this.log, indexers: TOKEN_INDEXERS }),
      recordObjects: { lastOf: (_, start) => start },
      signingKeyClient: this.signingKeys.client(),
      secretClient: this.secrets.client(),
      configMapClient: this.configMaps.client(),
      keySecrets: {
        list: async () => ({
          items: [...this.secrets.objects.values()]
            .filter(({ metadata }) => metadata.labels?.[SIGNING_KEY_LABEL] !== undefined)
            .map((secret) => structuredClone(secret)),
          resourceVersion: `${version}`,
          continueToken: undefined,
        }),
      },
      keyPairs: joseKeyPairs(),
      named: { follow: () => true } as never,
      events: { record: () => {} },
      clock: this.clock,
      log: this.log,
    });
  }

  /** Stores a SigningKey and shows it to the cache. */
  create(spec: Partial<SigningKeySpec> = {}): void {
    const metadata = {
      name: 'default',
      namespace: 'system',
      uid: 'u',
      resourceVersion: '',
      creationTimestamp: '2026-01-01T00:00:00Z',
      generation: 1,
    };
    const fields = { apiVersion: 'm2moauth.dev/v1alpha1', kind: 'SigningKey', metadata } as const;
    this.cache.putIfNewer(this.signingKeys.put({ ...fields, spec: { algorithm: 'ES256', ...spec } }));
  }

  /** Shows the ConfigMaps to the cache. */
  showConfigMaps(): void {
    for (const configMap of this.configMaps.objects.values())
      this.#configMapCache.putIfNewer(structuredClone(configMap));
  }

  /** Changes the SigningKey and shows that to the cache. */
  change(change: (signingKey: SigningKey) => SigningKey): void {
    this.cache.putIfNewer(this.signingKeys.put(change(this.signingKeys.find('default'))));
  }

  reconcile = () => this.#reconciler.reconcile('system/default', new AbortController().signal);

  get keys(): readonly KeyEntry[] {
    return this.signingKeys.find('default').status?.keys ?? [];
  }

  get phases(): string[] {
    return this.keys.map(({ phase }) => phase).sort();
  }
}
