import { expect } from '@jest/globals';
import { wireTokens } from '../../../operator/compose/token-reconcilers.ts';
import type { Keyring } from '../../../operator/ports/signing.ts';
import { eventually } from '../../support/eventually.ts';
import { issuerSettings } from '../../support/issuer-settings.ts';
import { ISSUER } from './test-keyring.ts';
import { buildParts, startWired, type WiringOptions } from './wiring.ts';

const settings = issuerSettings({ url: ISSUER });

interface TokenOperatorOptions extends WiringOptions {
  readonly namespace: string;
  readonly keyring: Keyring;
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

/** Starts caches, reconciler and controller as compose wires them; resolves when the caches are synced. */
export const startTokenOperator = async (options: TokenOperatorOptions): Promise<TokenOperator> => {
  const { namespace, keyring } = options;
  const parts = { ...buildParts(options, [namespace]), keyring };
  const { informers, named } = parts;
  const wired = wireTokens(settings, parts);
  const stop = await startWired(wired, parts, [
    'tokens',
    'clients',
    'secrets',
    'earlierSecrets',
    'namespaces',
  ]);
  return {
    isSeen: (name) => named.get(`${namespace}/${name}`) !== undefined,
    isClientKnown: (name, resourceVersion) =>
      informers.clients.cache.get(`${namespace}/${name}`)?.metadata.resourceVersion === resourceVersion,
    idle: async () => {
      await eventually(() =>
        expect(wired.controllers.map(({ queue }) => [queue.depth, queue.processing])).toEqual([[0, 0]]),
      );
    },
    stop,
  };
};
