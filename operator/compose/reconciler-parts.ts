import type { KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../ports/events.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { NamedSecrets } from '../ports/secrets.ts';
import type { Keyring } from '../ports/signing.ts';
import type { Controller, ControllerOptions } from '../runtime/controller.ts';
import type { ReflectorSurroundings } from '../runtime/informer.ts';
import type { Informers } from './informers.ts';

/** What every reconciler is built from. */
export interface ReconcilerParts extends ReflectorSurroundings {
  readonly metrics: Metrics;
  /** See {@link ControllerOptions}. */
  readonly defer: ControllerOptions['defer'];
  /** Rejects writes while this replica does not lead. */
  readonly writer: KubeClient;
  readonly informers: Informers;
  readonly named: NamedSecrets;
  readonly keyring: Keyring;
  readonly events: EventRecorder;
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

/** Puts off what depends on the time while this clock can't be trusted; revocation counts at the doors without it. */
export const whileClockUsable =
  (
    { isClockUsable }: Pick<ReconcilerParts, 'isClockUsable'>,
    reconcile: ControllerOptions['reconcile'],
  ): ControllerOptions['reconcile'] =>
  async (key, signal) =>
    isClockUsable() ? reconcile(key, signal) : { kind: 'requeue', afterMs: ASK_CLOCK_AGAIN_MS };
