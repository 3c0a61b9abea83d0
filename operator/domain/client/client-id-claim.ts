import { findCondition } from '../../api/conditions.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';

/** Name of the index of the OAuthClient cache by {@link claimOf}. */
export const CLAIM_INDEX = 'claim';

/** The client ID that an OAuthClient asks for: its own name unless the spec says otherwise. */
export const claimOf = ({ spec, metadata }: OAuthClient): string => spec.clientID ?? metadata.name;

/** Whether the status registers it with the client ID that it asks for. */
export const isRegistered = (client: OAuthClient): boolean => client.status?.clientID === claimOf(client);

/** Whether it lost its client ID to another client. It stays so until it is created again (spec §2.4): no client takes over an ID unnoticed. */
export const isInConflict = ({ status }: OAuthClient): boolean =>
  findCondition(status?.conditions, 'Ready')?.reason === 'ClientIDConflict';

const path = ({ metadata }: OAuthClient): string => `${metadata.namespace}/${metadata.name}`;

/** Older first; of equal times (in seconds) the path decides, so that all replicas agree. */
export const bySeniority = (a: OAuthClient, b: OAuthClient): number => {
  const [earlier, later] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (earlier !== later) return earlier < later ? -1 : 1;
  return path(a) < path(b) ? -1 : 1;
};

/** The result of a client's claim: it is registered, another is, or another comes first. */
export type Claim =
  | { readonly kind: 'held' }
  | { readonly kind: 'lost'; readonly to: OAuthClient | undefined }
  | { readonly kind: 'waits'; readonly for: OAuthClient };

/**
 * Decides over a client's claim among all that make the same one (the client itself may be among them). A registered client
 * keeps it; of several (a restored backup) the oldest does; an unassigned ID goes to the oldest claimant that has not
 * lost it before.
 */
export const decideClaim = (client: OAuthClient, claimants: Iterable<OAuthClient>): Claim => {
  const others = [...claimants].filter(({ metadata }) => metadata.uid !== client.metadata.uid);
  const [registered] = [...others, client].filter(isRegistered).sort(bySeniority);
  if (registered === client) return { kind: 'held' };
  if (registered !== undefined || isInConflict(client)) return { kind: 'lost', to: registered };
  const [first = client] = [...others, client].filter((other) => !isInConflict(other)).sort(bySeniority);
  return first === client ? { kind: 'held' } : { kind: 'waits', for: first };
};
