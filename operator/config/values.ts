import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { isReservedClaim } from '../api/reserved-claims.ts';
import { parseDurationMs } from '../api/time.ts';

/** The two reserved claims that may be named as owner or device-ID claim all the same (spec §6). */
const NAMEABLE: readonly string[] = ['sub', 'name'];

/** A Go duration, given as text and held in milliseconds. */
export const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      const ms = parseDurationMs(text);
      if (ms !== undefined) return ms;
      context.addIssue(`must be a duration such as 1h30m or 15s, not ${JSON.stringify(text)}`);
      return z.NEVER;
    });

/** A listening address, split. */
export interface Address {
  /** Undefined: all addresses, of IPv6 and IPv4, or of IPv4 alone where the host has no IPv6. */
  readonly host: string | undefined;
  readonly port: number;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** True for `localhost` and the loopback addresses of both families. */
export const isLoopbackHost = (host: string | undefined): boolean => {
  if (host === undefined) return false;
  const family = isIP(host);
  return host === 'localhost' || (family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4'));
};

/** `host:port` (IPv6 in brackets), or `:port` for all addresses; port 0 asks the system for a free one. */
export const address = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context): Address => {
      const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))?:([0-9]{1,5})$/u.exec(text);
      const host = match?.[1] ?? match?.[2];
      const port = Number(match?.[3]);
      if (match !== null && port <= 65_535) return { host, port };
      context.addIssue(
        `must be HOST:PORT such as 127.0.0.1:9102 or [::1]:9102, or :9102 for all addresses, not ${JSON.stringify(text)}`,
      );
      return z.NEVER;
    });

/** An issuer URL (RFC 8414 §2): https without query or fragment; http on loopback only; no trailing slash. */
export const issuerUrl = () =>
  z
    .string()
    .max(1024)
    .superRefine((text, context) => {
      if (!URL.canParse(text)) {
        context.addIssue(`must be an absolute https URL, not ${JSON.stringify(text)}`);
        return;
      }
      const url = new URL(text);
      const host = url.hostname.replace(/^\[|\]$/gu, '');
      if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(host))) {
        context.addIssue('must be an https URL (http is for loopback addresses only)');
      }
      if (text.endsWith('/')) context.addIssue('must not end with a slash');
      if (/[?#@]/u.test(text)) context.addIssue('must have no query, fragment or user name');
    });

/** An https URL of another issuer. */
export const authorityUrl = z
  .string()
  .max(1024)
  .refine((text) => URL.canParse(text) && new URL(text).protocol === 'https:', 'must be an https URL');

/** The name of a claim that the issuer may set beside the registered ones. */
export const claimName = z
  .string()
  .max(253)
  .refine(
    (name) => NAMEABLE.includes(name) || !isReservedClaim(name),
    'must not be a registered claim other than sub or name',
  );

/** A CIDR block or a single address. */
export const cidr = z.string().refine((text) => {
  const [host = '', bits, ...rest] = text.split('/');
  const family = isIP(host);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^[0-9]{1,3}$/u.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}, 'must be an IP address or a CIDR block such as 10.0.0.0/8');

/** A Kubernetes namespace name (RFC 1123 label). */
export const namespaceName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u, 'must be a namespace name (lower case, RFC 1123 label)');
