import type { IssuerSettings } from '../domain/jwt/claims.ts';
import { buildSecretMeta, cachedSecretMetaOf } from '../kube/secret-meta.ts';
import { ALL_CLIENTS } from '../reconcilers/oauth-client/own-clients.ts';
import { TokenReconciler } from '../reconcilers/token/token-reconciler.ts';
import { tokenTriggers } from '../reconcilers/token/token-triggers.ts';
import { Controller } from '../runtime/controller.ts';
import { secretsOf } from './informers.ts';
import { type ReconcilerParts, type Wired, whileClockUsable } from './reconciler-parts.ts';
import { resourceClients } from './resources.ts';

/** Tokens worked on at a time: enough to keep an API server of many cores busy, few enough for one of two. */
const TOKENS_AT_A_TIME = 32;
/** Of those, Tokens that are due by their time or existed at the start: half, so that the writes of a new Token do not wait behind twice as many. */
const LOW_AT_A_TIME = 16;

/** Wires the Tokens. */
export const wireTokens = (settings: IssuerSettings, parts: ReconcilerParts): Wired => {
  const { informers, writer, named, keyring, events, clock, defer, random, log, metrics } = parts;
  const resources = resourceClients(writer);
  const caches = {
    tokens: informers.tokens.cache,
    clients: informers.clients.cache,
    secrets: secretsOf(informers),
    namespaces: informers.namespaces.cache,
  };
  const reconciler = new TokenReconciler({
    ...caches,
    ownClients: parts.ownClients ?? ALL_CLIENTS,
    named,
    keyring,
    events,
    clock,
    log,
    metrics,
    settings,
    tokenClient: resources.tokens,
    wholeTokenClient: resources.wholeTokens,
    secretClient: resources.secretsWithFields,
    secretMetaOf: buildSecretMeta,
    cachedSecretOf: cachedSecretMetaOf,
  });
  const controller = new Controller({
    clock,
    defer,
    random,
    log,
    metrics,
    name: 'Token',
    concurrency: TOKENS_AT_A_TIME,
    lowConcurrency: LOW_AT_A_TIME,
    reconcile: whileClockUsable(parts.isClockUsable, (key, signal) => reconciler.reconcile(key, signal)),
    seed: () => caches.tokens.keys(),
  });
  const connect = (): (() => void) =>
    tokenTriggers({ ...caches, named, keyring, clock, queue: controller.queue });
  return { controllers: [controller], connect };
};
