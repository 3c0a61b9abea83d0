import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addressPolicy } from '../../../operator/domain/address-policy.ts';

const addressProblem = addressPolicy([]);

test.each([
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['64:ff9b::7f00:1', 'loopback'],
  ['2002:7f00:1::', 'loopback'],
  ['169.254.0.1', 'link-local'],
  ['fe80::1%eth0', 'link-local'],
  ['febf::1', 'link-local'],
  ['169.254.169.254', 'metadata'],
  ['::ffff:169.254.169.254', 'metadata'],
  ['::ffff:a9fe:a9fe', 'metadata'],
  ['fd00:ec2::254', 'metadata'],
  ['fd00:ec2::23', 'metadata'],
  ['fd20:ce::254', 'metadata'],
  ['100.100.100.200', 'metadata'],
  ['168.63.129.16', 'metadata'],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['::', 'unspecified'],
  ['224.0.0.1', 'multicast'],
  ['ff02::1', 'multicast'],
  ['255.255.255.255', 'reserved'],
  ['240.0.0.1', 'reserved'],
  ['example.com', 'unreadable'],
  ['127.1', 'unreadable'],
  ['0x7f000001', 'unreadable'],
  ['', 'unreadable'],
])('%s is rejected as %s', (address, why) => {
  expect(addressProblem(address)).toBe(why);
});

test.each([
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '8.8.8.8',
  '128.0.0.1',
  '126.255.255.255',
  '2001:4860:4860::8888',
  'fd12:3456::1',
  '::ffff:10.0.0.1',
  'fec0::1',
])('%s may be reached: private networks are where issuers stand', (address) => {
  expect(addressProblem(address)).toBeUndefined();
});

test.each([
  ['127.0.0.1/32', '127.0.0.1', undefined],
  ['127.0.0.1/32', '::ffff:127.0.0.1', undefined],
  ['127.0.0.1', '127.0.0.1', undefined],
  ['127.0.0.1/32', '127.0.0.2', 'loopback'],
  ['127.0.0.0/8', '::1', 'loopback'],
  ['::1/128', '::1', undefined],
  ['::1', '127.0.0.1', 'loopback'],
  ['169.254.169.254', '169.254.169.254', undefined],
  ['169.254.169.254', '169.254.169.253', 'link-local'],
])('with %s listed, %s is %s', (cidr, address, why) => {
  expect(addressPolicy([cidr])(address)).toBe(why);
});

const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
const hex = (a: number, b: number): string => ((a << 8) | b).toString(16);

test('an IPv4 address is treated alike in every form that IPv6 has for it', () => {
  fc.assert(
    fc.property(octets, fc.option(fc.integer({ min: 0, max: 32 })), ([a, b, c, d], bits) => {
      const isAllowed = addressPolicy(bits === null ? [] : [`127.1.2.3/${bits}`]);
      const result = isAllowed(`${a}.${b}.${c}.${d}`);
      const [high, low] = [hex(a, b), hex(c, d)];
      for (const form of [
        `::ffff:${a}.${b}.${c}.${d}`,
        `::ffff:${high}:${low}`,
        `64:ff9b::${high}:${low}`,
        `2002:${high}:${low}::1`,
      ]) {
        expect([form, isAllowed(form)]).toEqual([form, result]);
      }
    }),
    { numRuns: 500 },
  );
});

test('no text makes it throw, and no name is taken for an address', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV6()), fc.domain(), (text, name) => {
      expect(() => addressProblem(text)).not.toThrow();
      expect(addressProblem(name)).toBe('unreadable');
    }),
  );
});
