import type { IssuedToken } from '../api/issued-token.ts';
import type { OAuthClient } from '../api/oauth-client.ts';
import type { Config } from '../config/schema.ts';
import { createResourceClient } from '../kube/resource-client.ts';
import { ISSUED_TOKENS, OAUTH_CLIENTS } from '../kube/resource-types.ts';
import { IssuedTokenTriggers } from '../reconcilers/issued-token-triggers.ts';
import { IssuedTokenReconciler } from '../reconcilers/issued-tokens.ts';
import { RecordClients } from '../reconcilers/record-clients.ts';
import { RecordSchedule } from '../reconcilers/record-schedule.ts';
import { Controller } from '../runtime/controller.ts';
import { byGoodClock, type ReconcilerParts, type Wired } from './reconciler-parts.ts';

/** Records worked on at a time: enough to collect as fast as tokens are handed out, few enough to leave Tokens their share. */
const RECORDS_AT_A_TIME = 16;

const NONE: readonly string[] = [];

/** Wires the records of handed-out tokens; their seed goes through the triggers, which sift it. */
export const wireIssuedTokens = (
  { garbageCollection: settings }: Pick<Config, 'garbageCollection'>,
  parts: Omit<ReconcilerParts, 'informers' | 'named' | 'events'> & {
    readonly informers: Pick<ReconcilerParts['informers'], 'issued' | 'clients'>;
  },
): Wired => {
  const { informers, writer } = parts;
  const records = informers.issued.cache;
  const clients = informers.clients.cache;
  const recordClients = new RecordClients({
    clients,
    clientClient: createResourceClient<OAuthClient>(writer, OAUTH_CLIENTS),
  });
  const controller = new Controller({
    ...parts,
    name: 'IssuedToken',
    concurrency: RECORDS_AT_A_TIME,
    reconcile: byGoodClock(parts, (key, signal) => reconciler.reconcile(key, signal)),
    seed: () => {
      triggers.lead();
      return NONE;
    },
  });
  const { queue } = controller;
  const schedule = new RecordSchedule({ ...parts, queue });
  const sources = { ...parts, settings, records, recordClients, schedule };
  const recordClient = createResourceClient<IssuedToken>(writer, ISSUED_TOKENS);
  const reconciler = new IssuedTokenReconciler({ ...sources, recordClient });
  const triggers = new IssuedTokenTriggers({ ...sources, clients, queue });
  const connect = (): (() => void) => {
    triggers.connect();
    return () => triggers.disconnect();
  };
  return { controllers: [controller], connect };
};
