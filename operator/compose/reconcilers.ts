import { randomBytes } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import { newClientSecret } from '../crypto/client-secret.ts';
import { joseKeyPairs } from '../crypto/key-pairs.ts';
import { findJwkProblem } from '../crypto/public-jwk.ts';
import { SIGNING_KEY_LABEL } from '../domain/key/key-secrets.ts';
import { listWatchObjects } from '../kube/list-watch.ts';
import { SECRETS } from '../kube/resource-types.ts';
import { buildSecretMeta } from '../kube/secret-meta.ts';
import { jsonFetcher } from '../outbound/fetch-json.ts';
import type { Secret } from '../ports/secrets.ts';
import { OAuthClientReconciler } from '../reconcilers/oauth-client/client-reconciler.ts';
import {
  clientOfFollower,
  clientOfSecret,
  clientTriggers,
} from '../reconcilers/oauth-client/client-triggers.ts';
import { ClientCredentialsReconciler } from '../reconcilers/oauth-client/credentials-reconciler.ts';
import { RecordExpirations } from '../reconcilers/record/record-expirations.ts';
import { SigningKeyReconciler } from '../reconcilers/signing-key/signing-key-reconciler.ts';
import {
  signingKeyOfFollower,
  signingKeyOfJwks,
  signingKeyOfSecret,
  signingKeyTriggers,
} from '../reconcilers/signing-key/signing-key-triggers.ts';
import { TokenReconciler } from '../reconcilers/token/token-reconciler.ts';
import { tokenTriggers } from '../reconcilers/token/token-triggers.ts';
import { Controller } from '../runtime/controller.ts';
import { type ReconcilerParts, type Wired, whileClockUsable } from './reconciler-parts.ts';
import { wireIssuedTokens, wireTokenBatches } from './record-reconcilers.ts';
import { resourceClients } from './resources.ts';
import { issuerSettingsOf } from './settings.ts';

/** The controllers, and what puts keys into their queues. */
export interface Reconcilers {
  readonly controllers: readonly Controller[];
  /** To be called before the caches start. */
  connect(): void;
  disconnect(): void;
}

/** Tokens worked on at a time: enough to keep an API server of many cores busy, few enough for one of two. */
const TOKENS_AT_A_TIME = 32;
/** Of those, Tokens that are due by their time or existed at the start: half, so that the writes of a new Token do not wait behind twice as many. */
const LOW_AT_A_TIME = 16;
/** Clients whose Secrets and issuers are looked at at a time; an issuer may take its 5 s. */
const CREDENTIALS_AT_A_TIME = 4;

const wireTokens = (config: Config, parts: ReconcilerParts): Wired => {
  const { informers, writer } = parts;
  const resources = resourceClients(writer);
  const caches = {
    tokens: informers.tokens.cache,
    clients: informers.clients.cache,
    secrets: informers.secrets.cache,
    namespaces: informers.namespaces.cache,
  };
  const reconciler = new TokenReconciler({
    ...parts,
    ...caches,
    settings: issuerSettingsOf(config),
    tokenClient: resources.tokens,
    secretClient: resources.secretsWithFields,
    secretMetaOf: buildSecretMeta,
  });
  const controller = new Controller({
    ...parts,
    name: 'Token',
    concurrency: TOKENS_AT_A_TIME,
    lowConcurrency: LOW_AT_A_TIME,
    reconcile: whileClockUsable(parts, (key, signal) => reconciler.reconcile(key, signal)),
    seed: () => caches.tokens.keys(),
  });
  const connect = (): (() => void) => tokenTriggers({ ...parts, ...caches, queue: controller.queue });
  return { controllers: [controller], connect };
};

const wireClients = (config: Config, parts: ReconcilerParts): Wired => {
  const { informers, writer, named } = parts;
  const resources = resourceClients(writer);
  const clients = informers.clients.cache;
  const sinks = {
    ...parts,
    clients,
    oauthClients: resources.clients,
    settings: issuerSettingsOf(config),
  };
  const registration = new OAuthClientReconciler(sinks);
  const credentials = new ClientCredentialsReconciler({
    ...sinks,
    secretClient: resources.secrets,
    newClientSecret: () => newClientSecret(randomBytes),
    fetchJson: jsonFetcher(config.outbound),
    findJwkProblem,
  });
  const registers = new Controller({
    ...parts,
    name: 'OAuthClient',
    concurrency: 1,
    reconcile: (key, signal) => registration.reconcile(key, signal),
    seed: () => clients.keys(),
  });
  const verifies = new Controller({
    ...parts,
    name: 'OAuthClientCredentials',
    concurrency: CREDENTIALS_AT_A_TIME,
    reconcile: (key, signal) => credentials.reconcile(key, signal),
    seed: () => clients.keys(),
  });
  const connect = (): (() => void) => {
    const stops = [
      clients.onChange((change) => {
        for (const key of clientTriggers(change, clients)) registers.queue.add(key);
        verifies.queue.add(change.key);
      }),
      informers.secrets.cache.onChange((change) => {
        const key = clientOfSecret(change.type === 'set' ? change.object : change.old);
        if (key !== undefined) verifies.queue.add(key);
      }),
      named.onChange((owner) => {
        const key = clientOfFollower(owner);
        if (key !== undefined) verifies.queue.add(key);
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  };
  return { controllers: [registers, verifies], connect };
};

const wireSigningKeys = ({ kubernetes }: Config, parts: ReconcilerParts): Wired => {
  const { informers, writer, named } = parts;
  const { namespace } = kubernetes;
  const resources = resourceClients(writer);
  const signingKeys = informers.signingKeys.cache;
  const recordObjects = new RecordExpirations({
    issued: informers.issued.cache,
    batches: informers.batches.cache,
  });
  const reconciler = new SigningKeyReconciler({
    ...parts,
    namespace,
    signingKeys,
    tokens: informers.tokens.cache,
    recordObjects,
    configMaps: informers.configMaps.cache,
    keySecrets: listWatchObjects<Secret>(writer, SECRETS, { namespace, labelSelector: SIGNING_KEY_LABEL }),
    keyPairs: joseKeyPairs(),
    signingKeyClient: resources.signingKeys,
    secretClient: resources.secrets,
    configMapClient: resources.configMaps,
  });
  const controller = new Controller({
    ...parts,
    name: 'SigningKey',
    concurrency: 1,
    reconcile: whileClockUsable(parts, (key, signal) => reconciler.reconcile(key, signal)),
    seed: () => signingKeys.keys(),
  });
  const addKnown = (key: string | undefined): void => {
    if (key !== undefined && signingKeys.get(key) !== undefined) controller.queue.add(key, 'high');
  };
  const connect = (): (() => void) => {
    const stops = [
      recordObjects.connect(),
      signingKeys.onChange(({ key }) => {
        controller.queue.add(key, 'high');
        for (const other of signingKeyTriggers(signingKeys)) controller.queue.add(other, 'high');
      }),
      informers.secrets.cache.onChange((change) => addKnown(signingKeyOfSecret(change))),
      informers.configMaps.cache.onChange((change) => addKnown(signingKeyOfJwks(change))),
      named.onChange((owner) => addKnown(signingKeyOfFollower(owner))),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  };
  return { controllers: [controller], connect };
};

/** Builds the reconcilers of every kind, each with its controller and its triggers. */
export const buildReconcilers = (config: Config, parts: ReconcilerParts): Reconcilers => {
  const wired = [wireSigningKeys, wireClients, wireTokens, wireIssuedTokens, wireTokenBatches].map((wire) =>
    wire(config, parts),
  );
  let stops: (() => void)[] = [];
  return {
    controllers: wired.flatMap(({ controllers }) => controllers),
    connect: () => {
      stops = wired.map(({ connect }) => connect());
    },
    disconnect: () => {
      for (const stop of stops) stop();
    },
  };
};
