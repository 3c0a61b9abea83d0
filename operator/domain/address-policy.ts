import { BlockList, isIP } from 'node:net';

/** Why an address is not for requests that a resource has asked for. */
type AddressClass = 'loopback' | 'link-local' | 'metadata' | 'unspecified' | 'multicast' | 'reserved';

/** Private ranges (RFC 1918, RFC 4193) are not among them: an issuer may well stand in the same network. */
const IPV4: readonly (readonly [AddressClass, string, number])[] = [
  ['metadata', '169.254.169.254', 32],
  // Alibaba Cloud, Azure's wire server, Oracle Cloud.
  ['metadata', '100.100.100.200', 32],
  ['metadata', '168.63.129.16', 32],
  ['metadata', '192.0.0.192', 32],
  ['loopback', '127.0.0.0', 8],
  ['link-local', '169.254.0.0', 16],
  // RFC 1122 §3.2.1.3: "this host"; Linux connects to itself.
  ['unspecified', '0.0.0.0', 8],
  ['multicast', '224.0.0.0', 4],
  // RFC 1112 §4, and the broadcast address in it.
  ['reserved', '240.0.0.0', 4],
];

const IPV6: readonly (readonly [AddressClass, string, number])[] = [
  ['metadata', 'fd00:ec2::254', 128],
  // EKS Pod Identity, Google Cloud.
  ['metadata', 'fd00:ec2::23', 128],
  ['metadata', 'fd20:ce::254', 128],
  ['loopback', '::1', 128],
  ['unspecified', '::', 128],
  ['link-local', 'fe80::', 10],
  ['multicast', 'ff00::', 8],
];

const hextets = (ipv4: string): string => {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
};

/** The forms in which IPv6 carries an IPv4 address: mapped (RFC 4291 §2.5.5.2), compatible (§2.5.5.1), NAT64 (RFC 6052, RFC 8215) and 6to4 (RFC 3056). */
const embeddings = (ipv4: string, bits: number): (readonly [string, number])[] => [
  [`::ffff:${hextets(ipv4)}`, 96 + bits],
  [`::${hextets(ipv4)}`, 96 + bits],
  [`64:ff9b::${hextets(ipv4)}`, 96 + bits],
  [`64:ff9b:1::${hextets(ipv4)}`, 96 + bits],
  [`2002:${hextets(ipv4)}::`, 16 + bits],
];

const addSubnet = (list: BlockList, network: string, bits: number): void => {
  if (isIP(network) === 6) {
    list.addSubnet(network, bits, 'ipv6');
    return;
  }
  list.addSubnet(network, bits, 'ipv4');
  for (const [embedded, embeddedBits] of embeddings(network, bits)) {
    list.addSubnet(embedded, embeddedBits, 'ipv6');
  }
};

const holds = (list: BlockList, address: string): boolean =>
  list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

const CLASSES: ReadonlyMap<AddressClass, BlockList> = (() => {
  const classes = new Map<AddressClass, BlockList>();
  for (const [name, network, bits] of [...IPV4, ...IPV6]) {
    const list = classes.get(name) ?? new BlockList();
    addSubnet(list, network, bits);
    classes.set(name, list);
  }
  return classes;
})();

/** Validated CIDR blocks or addresses as a list. */
const blockListOf = (cidrs: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/');
    addSubnet(list, network, bits === undefined ? (isIP(network) === 6 ? 128 : 32) : Number(bits));
  }
  return list;
};

/** Whether an address is in one of `cidrs` (validated CIDR blocks or addresses), in whichever form it is written; false for other texts. */
export const createAddressList = (cidrs: readonly string[]): ((address: string) => boolean) => {
  const list = blockListOf(cidrs);
  return (text) => {
    const address = text.replace(/%.*$/u, '');
    return isIP(address) !== 0 && holds(list, address);
  };
};

/** The class of an address in which no request may go, `unreadable` where it is no IP address; undefined where it may. A zone (`%eth0`) is passed over. */
export type FindRefusedAddress = (address: string) => AddressClass | 'unreadable' | undefined;

/**
 * Which addresses requests that a resource asks for may go to (spec §6, `outbound`): everywhere but to loopback,
 * link-local and metadata addresses and those that are no single host's, unless `allowedCIDRs` (validated CIDR
 * blocks or addresses) lists them. An IPv4 address has the same result in every form that IPv6 has for it.
 */
export const addressPolicy = (allowedCIDRs: readonly string[]): FindRefusedAddress => {
  const allowed = blockListOf(allowedCIDRs);
  return (text) => {
    const address = text.replace(/%.*$/u, '');
    if (isIP(address) === 0) return 'unreadable';
    if (holds(allowed, address)) return undefined;
    for (const [name, list] of CLASSES) if (holds(list, address)) return name;
    return undefined;
  };
};
