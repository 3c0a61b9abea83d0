import type { Config } from '../config/schema.ts';
import type { FetchJson } from '../ports/outbound.ts';
import type { Controller } from '../runtime/controller.ts';
import { type ClientParts, wireClients } from './client-reconcilers.ts';
import type { ReconcilerParts } from './reconciler-parts.ts';
import { wireIssuedTokens, wireTokenBatches } from './record-reconcilers.ts';
import { issuerSettingsOf } from './settings.ts';
import { wireSigningKeys } from './signing-key-reconcilers.ts';
import { wireTokens } from './token-reconcilers.ts';

/** The controllers, and what puts keys into their queues. */
export interface Reconcilers {
  readonly controllers: readonly Controller[];
  /** To be called before the caches start. */
  connect(): void;
  disconnect(): void;
}

/** Builds the reconcilers of every kind, each with its controller and its triggers. */
export const buildReconcilers = (
  config: Config,
  parts: ReconcilerParts &
    ClientParts & { readonly fetchJson: FetchJson; readonly holdsKey: (kid: string) => boolean },
): Reconcilers => {
  const settings = issuerSettingsOf(config);
  const { signingKey } = config;
  const wired = [
    wireSigningKeys(
      {
        namespace: config.kubernetes.namespace,
        jwksMembers: config.issuer,
        defaultKey: signingKey.create ? { name: config.issuer.signingKey, spec: signingKey.spec } : undefined,
      },
      parts,
    ),
    wireClients({ settings, fetchJson: parts.fetchJson, endpoints: config.authorization.endpoints }, parts),
    wireTokens(settings, parts),
    wireIssuedTokens(config, parts),
    wireTokenBatches(config, parts),
  ];
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
