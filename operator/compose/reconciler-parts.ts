import type { KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../ports/events.ts';
import type { NamedSecrets } from '../ports/secrets.ts';
import type { Keyring } from '../ports/signing.ts';
import type { OwnClients } from '../reconcilers/oauth-client/own-clients.ts';
import type { Controller, ControllerOptions } from '../runtime/controller.ts';
import type { Informers } from './informers.ts';

/** What every controller is built from, beside its reconciler; see {@link ControllerOptions}. */
type ControllerParts = Pick<ControllerOptions, 'clock' | 'defer' | 'random' | 'log' | 'metrics'>;

/** What the reconcilers are built from. */
export interface ReconcilerParts extends ControllerParts {
  /** Rejects writes while this replica does not lead. */
  readonly writer: KubeClient;
  readonly informers: Informers;
  readonly named: NamedSecrets;
  readonly keyring: Keyring;
  readonly events: EventRecorder;
  /** The clients that this installation works on; all unless given. */
  readonly ownClients?: OwnClients;
  /** False while this clock is too far off the API server's to issue, expire or collect by it. */
  readonly isClockUsable: () => boolean;
}

/** The controllers of a kind. */
export interface Wired {
  readonly controllers: readonly Controller[];
  /** Puts keys into their queues from now on, until the function that it returns is called. */
  connect(): () => void;
}

const ASK_CLOCK_AGAIN_MS = 15_000;

/** Requeues a key, without a reconcile, while this clock is not usable; the servers apply revocations all the same. */
export const whileClockUsable =
  (
    isClockUsable: ReconcilerParts['isClockUsable'],
    reconcile: ControllerOptions['reconcile'],
  ): ControllerOptions['reconcile'] =>
  async (key, signal) =>
    isClockUsable() ? reconcile(key, signal) : { kind: 'requeue', afterMs: ASK_CLOCK_AGAIN_MS };
