import { buildInformers, watchNamed } from '../../../operator/compose/informers.ts';
import type { Wired } from '../../../operator/compose/reconciler-parts.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import type { Clock } from '../../../operator/ports/clock.ts';
import type { EventNote } from '../../../operator/ports/events.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import type { TestKube } from '../../support/kube.ts';
import { guardClient, type Ledger } from './guarded-client.ts';

export interface WiringOptions extends Ledger {
  readonly kube: TestKube;
  /** Of the reconcilers and their queues; the caches use the system's. */
  readonly clock: Clock;
  readonly events: EventNote[];
}

/** What compose builds reconcilers from; the first namespace is the operator's own. */
export const buildParts = (
  { kube, clock, events, calls, faults }: WiringOptions,
  watchNamespaces: readonly [string, ...string[]],
) => {
  const { client, log, metrics } = kube;
  const watching = { clock: systemClock, random: Math.random, log, metrics, rewinds: new Rewinds(log) };
  const [namespace] = watchNamespaces;
  return {
    informers: buildInformers({ namespace, watchNamespaces }, client, watching).informers,
    named: watchNamed(client, watching),
    writer: guardClient(client, { calls, faults }),
    events: { record: (note: EventNote) => void events.push(note) },
    isClockUsable: () => true,
    clock,
    defer: setImmediate,
    random: () => 0.5,
    log,
    metrics,
  };
};

type Parts = ReturnType<typeof buildParts>;

/** Starts triggers, caches and controllers in the manager's order; resolves with what stops them once the caches are synced. */
export const startWired = async (
  { controllers, connect }: Wired,
  { informers, named }: Pick<Parts, 'informers' | 'named'>,
  kinds: readonly (keyof Parts['informers'])[],
): Promise<() => Promise<void>> => {
  const disconnect = connect();
  const ending = new AbortController();
  const caches = kinds.map((kind) => informers[kind]);
  for (const cache of caches) cache.start(ending.signal);
  await Promise.all(caches.map((cache) => cache.whenSynced(ending.signal)));
  for (const controller of controllers) controller.start(ending.signal);
  return async () => {
    disconnect();
    ending.abort();
    await Promise.all([named.stop(), ...caches.map((cache) => cache.stopped())]);
  };
};
