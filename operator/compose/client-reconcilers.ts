import { randomBytes } from 'node:crypto';
import { newClientSecret } from '../crypto/client-secret.ts';
import { findJwkProblem, thumbprintOf } from '../crypto/public-jwk.ts';
import type { TrustSettings } from '../domain/client/trusted-issuer.ts';
import type { IssuerSettings } from '../domain/jwt/claims.ts';
import { ownKids } from '../domain/key/own-kids.ts';
import { createIsOwnKey } from '../issuer/keys/own-keys.ts';
import type { FetchJson } from '../ports/outbound.ts';
import {
  type IssuerSources,
  NO_OTHER_ISSUER,
  OAuthClientReconciler,
} from '../reconcilers/oauth-client/client-reconciler.ts';
import {
  clientOfFollower,
  clientOfSecret,
  clientsWithoutIssuer,
  clientTriggers,
} from '../reconcilers/oauth-client/client-triggers.ts';
import { ClientCredentialsReconciler } from '../reconcilers/oauth-client/credentials-reconciler.ts';
import {
  ClientLimitReconciler,
  type ReportedRejections,
} from '../reconcilers/oauth-client/limit-reconciler.ts';
import { ALL_CLIENTS } from '../reconcilers/oauth-client/own-clients.ts';
import { Controller } from '../runtime/controller.ts';
import { secretsOf } from './informers.ts';
import type { ReconcilerParts, Wired } from './reconciler-parts.ts';
import { resourceClients } from './resources.ts';

/** Clients whose Secrets and issuers are looked at at a time; an issuer may take its 5 s. */
const CREDENTIALS_AT_A_TIME = 4;
/** Of those, clients of one namespace, whose issuers may all be slow. */
const CREDENTIALS_OF_NAMESPACE = 2;

/** What the reconcilers of OAuthClients are set up with. */
export interface ClientSettings {
  readonly settings: IssuerSettings;
  readonly fetchJson: FetchJson;
  /** The external issuers whose bearers are trusted; none unless given. */
  readonly endpoints?: TrustSettings['endpoints'];
}

/** What the reconcilers of OAuthClients are built from. */
export interface ClientParts extends Omit<ReconcilerParts, 'keyring' | 'isClockUsable'> {
  /** What limits have rejected, on all replicas. */
  readonly rejected: ReportedRejections;
  /** What decides about clients without an issuer; without it there is no other installation. */
  readonly issuers?: WatchedIssuers;
}

/** {@link IssuerSources} that change. */
export interface WatchedIssuers extends IssuerSources {
  /** Called when another installation has come or gone. */
  onChange(handler: () => void): () => void;
  /** Reads what is known of the others again, without waiting for it: this replica leads from now on. */
  refresh(): void;
}

/** Wires the OAuthClients: one controller registers them, another checks their credentials, the third writes what limits have rejected. */
export const wireClients = (
  { settings, fetchJson, endpoints = [] }: ClientSettings,
  parts: ClientParts,
): Wired => {
  const { informers, writer, named, events, rejected, clock, defer, random, log, metrics } = parts;
  const { issuers, ownClients = ALL_CLIENTS } = parts;
  const resources = resourceClients(writer);
  const clients = informers.clients.cache;
  const sinks = { clients, oauthClients: resources.clients, events };
  const registration = new OAuthClientReconciler({
    ...sinks,
    settings,
    issuers: issuers ?? NO_OTHER_ISSUER,
    clock,
    log,
  });
  const credentials = new ClientCredentialsReconciler({
    ...sinks,
    ownClients,
    named,
    clock,
    random,
    secretClient: resources.secrets,
    newClientSecret: () => newClientSecret(randomBytes),
    fetchJson,
    findJwkProblem,
    isOwnKey: createIsOwnKey({
      thumbprintOf,
      isOwnKid: (kid) => ownKids([...informers.signingKeys.cache.values()]).has(kid),
    }),
    trust: { issuerUrl: settings.url, previousURLs: settings.previousURLs, endpoints },
    log,
  });
  const limits = new ClientLimitReconciler({ ...sinks, ownClients, rejected, clock });
  const around = { clock, defer, random, log, metrics };
  const registers = new Controller({
    ...around,
    name: 'OAuthClient',
    concurrency: 1,
    reconcile: (key, signal) => registration.reconcile(key, signal),
    seed: () => {
      issuers?.refresh();
      return clients.keys();
    },
  });
  const verifies = new Controller({
    ...around,
    name: 'OAuthClientCredentials',
    concurrency: CREDENTIALS_AT_A_TIME,
    namespaceConcurrency: CREDENTIALS_OF_NAMESPACE,
    reconcile: (key, signal) => credentials.reconcile(key, signal),
    seed: () => clients.keys(),
  });
  const limited = new Controller({
    ...around,
    name: 'OAuthClientLimits',
    concurrency: 1,
    reconcile: (key, signal) => limits.reconcile(key, signal),
    seed: () => limits.seed(),
  });
  const connect = (): (() => void) => {
    const stops = [
      clients.onChange((change) => {
        for (const key of clientTriggers(change, clients)) registers.queue.add(key);
        verifies.queue.add(change.key);
      }),
      secretsOf(informers).onChange((change) => {
        const key = clientOfSecret(change.type === 'set' ? change.object : change.old);
        if (key !== undefined) verifies.queue.add(key);
      }),
      issuers?.onChange(() => {
        for (const key of clientsWithoutIssuer(clients)) registers.queue.add(key);
      }),
      rejected.onChange((keys) => {
        for (const key of keys) limited.queue.add(key);
      }),
      named.onChange((owner) => {
        const key = clientOfFollower(owner);
        if (key !== undefined) verifies.queue.add(key);
      }),
    ];
    return () => {
      for (const stop of stops) stop?.();
    };
  };
  return { controllers: [registers, verifies, limited], connect };
};
