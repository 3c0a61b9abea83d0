import { expect } from '@jest/globals';
import { type KubeObject, MANAGED_BY_LABEL, MANAGER } from '../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import type { Token } from '../../../operator/api/token.ts';
import {
  listWatchMetadata,
  listWatchObjects,
  listWatchSecretMeta,
} from '../../../operator/kube/list-watch.ts';
import { createResourceClient } from '../../../operator/kube/resource-client.ts';
import { NAMESPACES, OAUTH_CLIENTS, SECRETS, TOKENS } from '../../../operator/kube/resource-types.ts';
import { buildSecretMeta } from '../../../operator/kube/secret-meta.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import type { Clock } from '../../../operator/ports/clock.ts';
import type { EventNote } from '../../../operator/ports/events.ts';
import type { Secret, SecretMeta } from '../../../operator/ports/secrets.ts';
import type { Keyring } from '../../../operator/ports/signing.ts';
import { SECRET_INDEXERS, TOKEN_INDEXERS } from '../../../operator/reconcilers/token/token-indexes.ts';
import { TokenReconciler } from '../../../operator/reconcilers/token/token-reconciler.ts';
import { tokenTriggers } from '../../../operator/reconcilers/token/token-triggers.ts';
import { Controller } from '../../../operator/runtime/controller.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { NamedSecretWatches } from '../../../operator/runtime/named-secrets.ts';
import { eventually } from '../../support/eventually.ts';
import { issuerSettings } from '../../support/issuer-settings.ts';
import type { TestKube } from '../../support/kube.ts';
import { guardClient, type Ledger } from './guarded-client.ts';
import { ISSUER } from './test-keyring.ts';

const settings = issuerSettings({ url: ISSUER });

export interface TokenOperatorOptions extends Ledger {
  readonly namespace: string;
  readonly kube: TestKube;
  readonly keyring: Keyring;
  /** Of the reconciler and its queue; the caches live by the real one. */
  readonly clock: Clock;
  readonly events: EventNote[];
}

/** The Token reconciler of one namespace, running. */
export interface TokenOperator {
  /** Whether the watch of a Secret that is followed by name has shown it. */
  isSeen(name: string): boolean;
  /** Whether the cache of OAuthClients has it at that resourceVersion. */
  isClientKnown(name: string, resourceVersion: string): boolean;
  /** Resolves when no key is due and none is worked on. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const makeInformers = ({ kube: { client, log, metrics }, namespace }: TokenOperatorOptions) => {
  const around = { clock: systemClock, random: Math.random, log, metrics };
  const labelSelector = `${MANAGED_BY_LABEL}=${MANAGER}`;
  const fieldSelector = `metadata.name=${namespace}`;
  return {
    tokens: new Informer<Token>({
      ...around,
      name: 'tokens',
      sources: [{ namespace, listWatch: listWatchObjects<Token>(client, TOKENS, { namespace }) }],
      indexers: TOKEN_INDEXERS,
    }),
    clients: new Informer<OAuthClient>({
      ...around,
      name: 'clients',
      sources: [
        { namespace, listWatch: listWatchObjects<OAuthClient>(client, OAUTH_CLIENTS, { namespace }) },
      ],
    }),
    secrets: new Informer<SecretMeta>({
      ...around,
      name: 'secrets',
      sources: [{ namespace, listWatch: listWatchSecretMeta(client, { namespace, labelSelector }) }],
      indexers: SECRET_INDEXERS,
    }),
    namespaces: new Informer<KubeObject>({
      ...around,
      name: 'namespaces',
      sources: [{ listWatch: listWatchMetadata(client, NAMESPACES, { fieldSelector }) }],
    }),
  };
};

const makeNamed = ({ client, log, metrics }: TestKube): NamedSecretWatches =>
  new NamedSecretWatches({
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
    sourceOf: ({ namespace, name }) =>
      listWatchSecretMeta(client, { namespace, fieldSelector: `metadata.name=${name}` }),
  });

/** Starts caches, reconciler and controller; resolves when the caches are in. */
export const startTokenOperator = async (options: TokenOperatorOptions): Promise<TokenOperator> => {
  const { namespace, keyring, clock, kube, events } = options;
  const { client, log, metrics } = kube;
  const informers = makeInformers(options);
  const named = makeNamed(kube);
  const shared = {
    tokens: informers.tokens.cache,
    clients: informers.clients.cache,
    secrets: informers.secrets.cache,
    namespaces: informers.namespaces.cache,
    named,
    keyring,
    clock,
  };
  const secretClient = createResourceClient<Secret>(client, SECRETS, { keepManagedFields: true });
  const reconciler = new TokenReconciler({
    ...shared,
    settings,
    tokenClient: guardClient(createResourceClient<Token>(client, TOKENS), options),
    secretClient: guardClient(secretClient, options),
    secretMetaOf: buildSecretMeta,
    events: { record: (note) => events.push(note) },
    metrics,
    log,
  });
  const reconcile = (key: string, signal: AbortSignal) => reconciler.reconcile(key, signal);
  const around = { clock, random: Math.random, log, metrics };
  const seed = () => shared.tokens.keys();
  const controller = new Controller({
    name: 'token',
    concurrency: 4,
    defer: setImmediate,
    reconcile,
    seed,
    ...around,
  });
  const untrigger = tokenTriggers({ ...shared, queue: controller.queue });
  const ending = new AbortController();
  const all = Object.values(informers);
  for (const informer of all) informer.start(ending.signal);
  await Promise.all(all.map((informer) => informer.whenSynced(ending.signal)));
  controller.start(ending.signal);
  return {
    isSeen: (name) => named.get(`${namespace}/${name}`) !== undefined,
    isClientKnown: (name, resourceVersion) =>
      shared.clients.get(`${namespace}/${name}`)?.metadata.resourceVersion === resourceVersion,
    idle: async () => {
      await eventually(() => expect([controller.queue.depth, controller.queue.processing]).toEqual([0, 0]));
    },
    stop: async () => {
      untrigger();
      ending.abort();
      await Promise.all([named.stop(), ...all.map((informer) => informer.stopped())]);
    },
  };
};
