import { isIPv4, isIPv6 } from 'node:net';
import type { ObjectRef } from '../api/meta.ts';
import { createAddressList } from './address-policy.ts';

const MAPPED = /^::ffff:(?=\d)/iu;

/** Removes the IPv6 mapping of an IPv4 address (RFC 4291 §2.5.5.2), so that a caller has the same address on every server. */
export const plainAddress = (address: string): string => {
  const plain = address.replace(MAPPED, '');
  return isIPv4(plain) ? plain : address;
};

/** The bits of an IPv6 address that name a network: what one host is assigned at least (RFC 6177 §2). */
const HEXTETS_OF_NETWORK = 4;

/**
 * What limits per address count by: the address itself for IPv4, the /64 network for IPv6, in which one host can use
 * any number of addresses.
 */
export const addressGroup = (address: string): string => {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = (plain.split('%', 1)[0] ?? '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // An IPv4 address at the end takes the place of two hextets (RFC 4291 §2.2).
  const length = before.length + after.length + (plain.includes('.') ? 1 : 0);
  const zeros = tail === undefined ? 0 : 8 - length;
  const network = [...before, ...Array.from({ length: zeros }, () => '0'), ...after].slice(
    0,
    HEXTETS_OF_NETWORK,
  );
  return `${network.map((hextet) => Number.parseInt(hextet, 16).toString(16)).join(':')}::/64`;
};

/** The group of an address whose limits count; undefined for a trusted proxy, which has many callers behind it. */
export type GroupOf = (address: string) => string | undefined;

/** Makes {@link GroupOf}; `trustedProxies` are validated CIDR blocks or addresses. */
export const createGroupOf = (trustedProxies: readonly string[]): GroupOf => {
  if (trustedProxies.length === 0) return addressGroup;
  const isTrusted = createAddressList(trustedProxies);
  return (address) => (isTrusted(address) ? undefined : addressGroup(address));
};

/** Whom a request counts for while it waits (spec §4, Fair shares): groups share alike, and within a group its members. */
interface CallerKey {
  readonly group: string;
  readonly member: string;
}

interface Caller {
  readonly address: string;
}

/** Before its client is authenticated a request counts for its address, and there for the client that it names, which anybody can. */
export const unauthenticatedKey = ({ address }: Caller, clientID = ''): CallerKey => ({
  group: `address ${addressGroup(address)}`,
  member: clientID,
});

/** A request of an authenticated client counts for the client, and there for its address; what is for several addresses has none. */
export const clientKey = ({ namespace, name }: ObjectRef, { address }: Caller): CallerKey => ({
  group: `client ${namespace}/${name}`,
  member: addressGroup(address),
});

/** A request with a bearer counts for the client that the token was issued to; with one of an external issuer for the owner. */
export const bearerKey = (
  { client, owner }: { readonly client: string | undefined; readonly owner: string },
  { address }: Caller,
): CallerKey => ({
  group: client === undefined ? `owner ${owner}` : `client ${client}`,
  member: addressGroup(address),
});
