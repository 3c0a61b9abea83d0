import { isIPv4 } from 'node:net';

const MAPPED = /^::ffff:(?=\d)/iu;

/** Removes the IPv6 mapping of an IPv4 address (RFC 4291 §2.5.5.2), so that a caller has the same address on every server. */
export const plainAddress = (address: string): string => {
  const plain = address.replace(MAPPED, '');
  return isIPv4(plain) ? plain : address;
};
