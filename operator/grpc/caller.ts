import { isIPv4 } from 'node:net';

const MAPPED = /^::ffff:(?=\d)/iu;

/**
 * The IP address in a peer's name as grpc-js writes it: `address:port`, IPv6 without brackets (or with them, as other
 * versions and the naming specification have it). IPv4 addresses come out plain where the socket is one of IPv6
 * (RFC 4291 §2.5.5.2), so that one caller has one address.
 */
export const addressOf = (peer: string): string => {
  const bracketed = /^\[([^\]]*)\]/u.exec(peer)?.[1];
  const address = bracketed ?? peer.replace(/:\d+$/u, '');
  const plain = address.replace(MAPPED, '');
  return isIPv4(plain) ? plain : address;
};
