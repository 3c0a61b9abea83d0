import { describe, expect, test } from '@jest/globals';
import { addressGroup, createGroupOf, plainAddress } from '../../../operator/domain/caller-address.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['', ''],
])('the plain address of %j is %j', (address, plain) => {
  expect(plainAddress(address)).toBe(plain);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002:ffff::', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001::2:3:4:5:6:7', '2001:0:2:3::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['1:2:3::192.0.2.1', '1:2:3:0::/64'],
  ['', ''],
])('limits count %j with %j', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});

describe('a trusted proxy has no group', () => {
  const groupOf = createGroupOf(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);

  test.each(['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.1', '2001:db8:1::1'])('%s', (address) => {
    expect(groupOf(address)).toBeUndefined();
  });

  test.each([
    ['192.0.2.2', '192.0.2.2'],
    ['2001:db9::1', '2001:db9:0:0::/64'],
    ['unknown', 'unknown'],
  ])('but %s, which is none, has %s', (address, group) => {
    expect(groupOf(address)).toBe(group);
  });
});
