import { joseKeyPairs } from '../crypto/key-pairs.ts';
import { SIGNING_KEY_LABEL } from '../domain/key/key-secrets.ts';
import { listWatchObjects } from '../kube/list-watch.ts';
import { SECRETS } from '../kube/resource-client.ts';
import type { Secret } from '../ports/secrets.ts';
import { RecordExpirations } from '../reconcilers/record/record-expirations.ts';
import {
  SigningKeyReconciler,
  type SigningKeyReconcilerOptions,
} from '../reconcilers/signing-key/signing-key-reconciler.ts';
import {
  signingKeyOfFollower,
  signingKeyOfJwks,
  signingKeyOfSecret,
  signingKeyTriggers,
} from '../reconcilers/signing-key/signing-key-triggers.ts';
import { Controller } from '../runtime/controller.ts';
import { configMapsOf, secretsOf } from './informers.ts';
import { type ReconcilerParts, type Wired, whileClockUsable } from './reconciler-parts.ts';
import { rememberedKeysOf } from './remembered-keys.ts';
import { resourceClients } from './resources.ts';

/** Wires the SigningKeys of the operator's namespace. */
export const wireSigningKeys = (
  {
    namespace,
    jwksMembers,
    defaultKey,
  }: Pick<SigningKeyReconcilerOptions, 'namespace' | 'jwksMembers' | 'defaultKey'>,
  parts: Omit<ReconcilerParts, 'keyring'> & Pick<SigningKeyReconcilerOptions, 'holdsKey'>,
): Wired => {
  const { informers, writer, named, events, isClockUsable, clock, defer, random, log, metrics } = parts;
  const { holdsKey } = parts;
  const resources = resourceClients(writer);
  const signingKeys = informers.signingKeys.cache;
  const configMaps = configMapsOf(informers);
  const defaultKeyName = defaultKey && `${namespace}/${defaultKey.name}`;
  const recordObjects = new RecordExpirations({
    issued: informers.issued.cache,
    batches: informers.batches.cache,
  });
  const reconciler = new SigningKeyReconciler({
    named,
    events,
    clock,
    log,
    namespace,
    defaultKey,
    jwksMembers,
    signingKeys,
    tokens: informers.tokens.cache,
    recordObjects,
    configMaps,
    keySecrets: listWatchObjects<Secret>(writer, SECRETS, { namespace, labelSelector: SIGNING_KEY_LABEL }),
    keyPairs: joseKeyPairs(),
    holdsKey,
    signingKeyClient: resources.signingKeys,
    secretClient: resources.secrets,
    configMapClient: resources.configMaps,
  });
  const controller = new Controller({
    clock,
    defer,
    random,
    log,
    metrics,
    name: 'SigningKey',
    concurrency: 1,
    reconcile: whileClockUsable(isClockUsable, (key, signal) => reconciler.reconcile(key, signal)),
    seed: () => new Set([...(defaultKeyName ? [defaultKeyName] : []), ...signingKeys.keys()]),
  });
  const addKnown = (key: string | undefined): void => {
    if (key !== undefined && (key === defaultKeyName || signingKeys.get(key) !== undefined))
      controller.queue.add(key, 'high');
  };
  const connect = (): (() => void) => {
    const stops = [
      recordObjects.connect(),
      signingKeys.onChange(({ key }) => {
        controller.queue.add(key, 'high');
        for (const other of signingKeyTriggers(signingKeys)) controller.queue.add(other, 'high');
      }),
      secretsOf(informers).onChange((change) => addKnown(signingKeyOfSecret(change))),
      configMaps.onChange((change) => addKnown(signingKeyOfJwks(change))),
      rememberedKeysOf(informers.compromisedKeys.cache, namespace).onChange(() => {
        for (const key of signingKeyTriggers(signingKeys)) addKnown(key);
      }),
      named.onChange((owner) => addKnown(signingKeyOfFollower(owner))),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  };
  return { controllers: [controller], connect };
};
