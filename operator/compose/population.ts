import { CLIENT_REASONS, TOKEN_REASONS } from '../api/conditions.ts';
import { KEY_PHASES } from '../api/signing-key.ts';
import { RECORD_OBJECT_INDEX, RESTORED } from '../domain/record/token-record.ts';
import type { Population } from '../ops/metrics.ts';
import type { Cache } from '../ports/cache.ts';
import { CLIENT_INDEX, OTHER_ISSUER, UNREGISTERED } from '../reconcilers/oauth-client/client-indexes.ts';
import { TOKEN_INDEX } from '../reconcilers/token/token-triggers.ts';
import type { NamespaceAccess } from '../runtime/namespace-access.ts';
import type { ReplicaLeases } from '../runtime/replica-leases.ts';
import type { Informers } from './informers.ts';

/** What the population metrics read at a scrape besides the caches. */
export interface PopulationParts {
  readonly replicas: Pick<ReplicaLeases, 'share'>;
  readonly access: Pick<NamespaceAccess, 'counts'>;
  readonly isMemoryExceeded: () => boolean;
}

const countRestored = (cache: Pick<Cache<unknown>, 'countByIndex'>): number =>
  RESTORED.reduce((sum, value) => sum + cache.countByIndex(RECORD_OBJECT_INDEX.restored, value), 0);

/** What the population metrics read at a scrape: sizes of indexes, never a walk over Tokens. */
export const populationOf = (
  informers: Informers,
  { replicas, access, isMemoryExceeded }: PopulationParts,
): Population => ({
  rateShare: () => replicas.share(),
  memoryExceeded: isMemoryExceeded,
  deniedNamespaces: () => access.counts(),
  tokensByState: () =>
    Object.fromEntries(
      TOKEN_REASONS.map((reason) => [reason, informers.tokens.cache.countByIndex(TOKEN_INDEX.state, reason)]),
    ),
  clientsByState: () =>
    Object.fromEntries(
      [...CLIENT_REASONS, UNREGISTERED, OTHER_ISSUER].map((state) => [
        state,
        informers.clients.cache.countByIndex(CLIENT_INDEX.state, state),
      ]),
    ),
  keysByPhase: () => {
    const counts: Record<string, number> = Object.fromEntries(KEY_PHASES.map((phase) => [phase, 0]));
    for (const { status } of informers.signingKeys.cache.values()) {
      for (const { phase } of status?.keys ?? []) counts[phase] = (counts[phase] ?? 0) + 1;
    }
    return counts;
  },
  restored: () => ({
    issuedtokens: countRestored(informers.issued.cache),
    tokenbatches: countRestored(informers.batches.cache),
  }),
  cached: () => {
    const counts: Record<string, number> = {};
    for (const { name, cache } of Object.values(informers)) counts[name] = (counts[name] ?? 0) + cache.size;
    return counts;
  },
});
