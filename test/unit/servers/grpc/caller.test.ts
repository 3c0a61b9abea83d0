import { expect, test } from '@jest/globals';
import { addressOf } from '../../../../operator/servers/grpc/caller.ts';

test.each([
  ['192.0.2.1:50000', '192.0.2.1'],
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1:50000', '192.0.2.1'],
  ['2001:db8::1:50000', '2001:db8::1'],
  ['[2001:db8::1]:50000', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['::1:50000', '::1'],
  ['fe80::1%eth0:50000', 'fe80::1%eth0'],
  ['unknown', 'unknown'],
])('the peer %s has the address %s', (peer, address) => {
  expect(addressOf(peer)).toBe(address);
});
