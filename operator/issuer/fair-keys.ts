import { keyOf, type ObjectRef } from '../api/meta.ts';
import type { FairKey } from '../async/fair-queue.ts';
import { addressGroup } from '../domain/caller-address.ts';
import type { NewTokenBatch } from '../domain/record/token-batch.ts';
import type { Bearer, Call } from './use-cases.ts';

/** Who shares with whom while requests wait (spec §4, Fair shares). */
type Caller = Pick<Call, 'address'>;

/** Before its client is authenticated a request counts for its address, and there for the client that it names, which anybody can. */
export const unauthenticatedKey = ({ address }: Caller, clientID = ''): FairKey => ({
  group: `address ${addressGroup(address)}`,
  member: clientID,
});

/** A request of an authenticated client counts for the client, and there for its address. */
export const clientKey = (client: ObjectRef, { address }: Caller): FairKey => ({
  group: `client ${keyOf(client)}`,
  member: addressGroup(address),
});

/** A TokenBatch has tokens of one client, from any addresses. */
export const batchKey = ({ metadata, spec }: NewTokenBatch): FairKey => ({
  group: `client ${keyOf({ namespace: metadata.namespace, name: spec.clientRef.name })}`,
  member: '',
});

/** A request with a bearer counts for the client that the token was issued to; with one of an external issuer for the owner. */
export const bearerKey = (
  { client, owner }: Pick<Bearer, 'client' | 'owner'>,
  { address }: Caller,
): FairKey => ({
  group: client === undefined ? `owner ${owner}` : `client ${client}`,
  member: addressGroup(address),
});
