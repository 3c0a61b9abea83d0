import { plainAddress } from '../../domain/caller-address.ts';

/**
 * The IP address in a peer's name as grpc-js writes it: `address:port`, IPv6 without brackets (or with them, as other
 * versions and the naming specification have it).
 */
export const addressOf = (peer: string): string => {
  const bracketed = /^\[([^\]]*)\]/u.exec(peer)?.[1];
  return plainAddress(bracketed ?? peer.replace(/:\d+$/u, ''));
};
