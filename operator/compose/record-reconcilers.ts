import type { Config } from '../config/schema.ts';
import type { RecordObject } from '../domain/record/token-record.ts';
import type { WritableCache } from '../ports/cache.ts';
import type { DecodedClient } from '../ports/decoded-client.ts';
import { ClientPresenceReader } from '../reconcilers/record/client-presence.ts';
import {
  ISSUED_TOKEN_KIND,
  type RecordObjectKind,
  TOKEN_BATCH_KIND,
} from '../reconcilers/record/record-kinds.ts';
import { RecordReconciler } from '../reconcilers/record/record-reconciler.ts';
import { RecordSchedule } from '../reconcilers/record/record-schedule.ts';
import { RecordTriggers } from '../reconcilers/record/record-triggers.ts';
import { Controller } from '../runtime/controller.ts';
import { type ReconcilerParts, type Wired, whileClockUsable } from './reconciler-parts.ts';
import { decodedClients, resourceClients } from './resources.ts';

type Settings = Pick<Config, 'garbageCollection'>;

/** What the records of issued tokens need of the parts. */
type Parts<Records extends 'issued' | 'batches' = never> = Omit<
  ReconcilerParts,
  'informers' | 'named' | 'events'
> & {
  readonly informers: Pick<ReconcilerParts['informers'], Records | 'clients'>;
};

interface Kept<T extends RecordObject> {
  readonly kind: RecordObjectKind<T>;
  readonly objects: DecodedClient<T>;
  readonly records: WritableCache<T>;
}

/** Objects worked on at a time: enough to collect as fast as tokens are issued, few enough to leave Tokens their share. */
const RECORDS_AT_A_TIME = 16;

const NONE: readonly string[] = [];

/** One kind; its seed goes through the triggers, which sift it. */
const wireKind = <T extends RecordObject>(
  { garbageCollection: settings }: Settings,
  parts: Parts,
  { kind, objects, records }: Kept<T>,
): Wired => {
  const { informers, writer, keyring, isClockUsable, clock, defer, random, log, metrics } = parts;
  const clients = informers.clients.cache;
  const isOfAnother = (client: string): boolean => {
    const found = clients.get(client);
    return found !== undefined && parts.ownClients?.has(found) === false;
  };
  const recordClients = new ClientPresenceReader({
    clients,
    oauthClients: resourceClients(writer).clients,
    clock,
  });
  const controller = new Controller({
    clock,
    defer,
    random,
    log,
    metrics,
    name: kind.name,
    concurrency: RECORDS_AT_A_TIME,
    reconcile: whileClockUsable(isClockUsable, (key, signal) => reconciler.reconcile(key, signal)),
    seed: () => {
      triggers.lead();
      return NONE;
    },
  });
  const { queue } = controller;
  const schedule = new RecordSchedule({ queue, clock, isClockUsable });
  const sources = { kind, isOfAnother, settings, records, recordClients, schedule, keyring, clock };
  const reconciler = new RecordReconciler<T>({ ...sources, objects, log, metrics });
  const triggers = new RecordTriggers<T>({ ...sources, clients, queue });
  const connect = (): (() => void) => {
    triggers.connect();
    return () => triggers.disconnect();
  };
  return { controllers: [controller], connect };
};

/** Wires the IssuedTokens. */
export const wireIssuedTokens = (settings: Settings, parts: Parts<'issued'>): Wired =>
  wireKind(settings, parts, {
    kind: ISSUED_TOKEN_KIND,
    objects: decodedClients(resourceClients(parts.writer)).issued,
    records: parts.informers.issued.cache,
  });

/** Wires the TokenBatches. */
export const wireTokenBatches = (settings: Settings, parts: Parts<'batches'>): Wired =>
  wireKind(settings, parts, {
    kind: TOKEN_BATCH_KIND,
    objects: decodedClients(resourceClients(parts.writer)).batches,
    records: parts.informers.batches.cache,
  });
