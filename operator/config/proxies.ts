import { isIP } from 'node:net';
import { createAddressList } from '../domain/address-policy.ts';
import { ConfigError } from './load.ts';
import { cidr } from './values.ts';

/** A proxy of the environment. */
interface ConfiguredProxy {
  readonly host: string;
  readonly port: number;
  /** Whether the connection to the proxy itself uses TLS. */
  readonly isSecure: boolean;
  /** The header `Proxy-Authorization`, a secret. */
  readonly authorization: string | undefined;
}

/** The proxy by which a host is reached; undefined: directly. */
type FindConfiguredProxy = (host: string, port: number) => ConfiguredProxy | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/** The first of the variables that is set, and its name; proxies are commonly configured in either case. */
const read = (env: Environment, names: readonly string[]): { name: string; value: string } | undefined => {
  const name = names.find((each) => env[each] !== undefined && env[each] !== '');
  return name === undefined ? undefined : { name, value: (env[name] ?? '').trim() };
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** A proxy from its URL; one without a scheme is http, as curl and Go take it. The messages have nothing of it: it may have a password. */
const parseProxy = ({ name, value }: { name: string; value: string }): ConfiguredProxy | string => {
  const text = /^[a-z][a-z0-9+.-]*:\/\//iu.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '')
    return `${name}: must be a URL such as http://proxy.example:3128`;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `${name}: must be an http or https URL: no other kind of proxy can be used`;
  }
  const { hostname, port, protocol, username, password } = url;
  const isSecure = protocol === 'https:';
  const credentials =
    username === '' && password === '' ? undefined : `${decoded(username)}:${decoded(password)}`;
  return {
    host: hostname.replace(/^\[|\]$/gu, ''),
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
    isSecure,
    authorization:
      credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
};

type IsDirect = (host: string, port: number) => boolean;

/** An entry of NO_PROXY as curl and Go read it: `*`, an address, a CIDR block, or a domain, which includes those below it; with a port or without. */
const parseEntry = (entry: string): IsDirect => {
  if (entry === '*') return () => true;
  if (cidr.safeParse(entry).success) return createAddressList([entry]);
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/u.exec(entry) ?? [];
  const name = (bracketed ?? plain ?? entry).replace(/^\*(?=\.)/u, '').replace(/\.$/u, '');
  const isPort = (asked: number): boolean => port === undefined || Number(port) === asked;
  if (isIP(name) !== 0) {
    const isListed = createAddressList([name]);
    return (host, asked) => isPort(asked) && isListed(host);
  }
  const suffix = name.startsWith('.') ? name : `.${name}`;
  return (host, asked) =>
    isPort(asked) && name !== '' && (host.endsWith(suffix) || (host === name && !name.startsWith('.')));
};

/**
 * The proxy of requests to other issuers by HTTPS_PROXY and NO_PROXY, in either case. Requests to the API server use none.
 * @throws ConfigError if the proxy can't be used
 */
export const parseProxies = (env: Environment): FindConfiguredProxy => {
  const variable = read(env, ['HTTPS_PROXY', 'https_proxy']);
  if (variable === undefined) return () => undefined;
  const proxy = parseProxy(variable);
  if (typeof proxy === 'string') throw new ConfigError('the environment', [proxy]);
  const excluded = read(env, ['NO_PROXY', 'no_proxy'])?.value ?? '';
  const entries = excluded
    .split(/[\s,]+/u)
    .filter(Boolean)
    .map((entry) => parseEntry(entry.toLowerCase()));
  return (host, port) => {
    const name = host.toLowerCase().replace(/\.$/u, '');
    return entries.some((isDirect) => isDirect(name, port)) ? undefined : proxy;
  };
};
