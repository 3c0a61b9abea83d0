import { isIPv4 } from 'node:net';

const MAPPED = /^::ffff:(?=\d)/iu;

/** An IPv4 address plain where the socket is one of IPv6 (RFC 4291 §2.5.5.2), so that one caller has one address at every door. */
export const plainAddress = (address: string): string => {
  const plain = address.replace(MAPPED, '');
  return isIPv4(plain) ? plain : address;
};
