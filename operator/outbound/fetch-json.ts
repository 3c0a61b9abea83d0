import { readFile, stat } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';
import { addressPolicy } from '../domain/address-policy.ts';
import { type FetchJson, type FetchOptions, OutboundError, UnreachableError } from '../ports/outbound.ts';
import { guardedConnector } from './guarded-connector.ts';

export interface JsonFetcherOptions {
  /** PEM authorities that are trusted beside Node's own; '' for none. */
  readonly caFile: string;
  /** Validated CIDR blocks that may be reached though they would be rejected. */
  readonly allowedCIDRs: readonly string[];
  /** For the whole of a fetch, connecting and reading; 5 s unless given. */
  readonly timeoutMs?: number;
  readonly resolve?: LookupFunction;
}

const TIMEOUT_MS = 5000;
const MAX_BYTES = 262_144;
const MAX_CA_BYTES = 1_048_576;

/** Certificate authorities to trust; with `unreadable`, none are, and no certificate is accepted. */
interface Authorities {
  readonly ca: string[] | undefined;
  readonly unreadable?: UnreachableError;
}

const readAuthorities = async (file: string, others: readonly string[]): Promise<Authorities> => {
  try {
    const found = await stat(file);
    if (found.isFile() && found.size <= MAX_CA_BYTES)
      return { ca: [...others, await readFile(file, 'utf8')] };
  } catch {
    // The path is named below; the system's words may hold more than that.
  }
  return {
    ca: [],
    unreadable: new UnreachableError(`the caFile ${JSON.stringify(file)} can not be read`),
  };
};

const parseUrl = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:') throw new OutboundError(`${JSON.stringify(text)} is no https URL`);
  if (url.username !== '' || url.password !== '') {
    throw new OutboundError('a URL with a user name or password is not fetched');
  }
  return url;
};

const readBody = async (body: AsyncIterable<Uint8Array>, host: string): Promise<unknown> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new OutboundError(`${host} answered with more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new OutboundError(`${host} answered with something that is no JSON`);
  }
};

const get = async (url: URL, dispatcher: Dispatcher, signal: AbortSignal): Promise<unknown> => {
  const { statusCode, body } = await dispatcher.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    headers: { accept: 'application/json', 'accept-encoding': 'identity' },
    signal,
  });
  if (statusCode === 200) return readBody(body, url.host);
  body.on('error', () => {}).destroy();
  const what = statusCode >= 300 && statusCode < 400 ? 'a redirect, which is not followed' : 'no document';
  throw new OutboundError(`${url.host} answered with ${what} (${statusCode})`);
};

/** Codes of Node and OpenSSL are fixed words; their messages may repeat what a server has sent. */
const describe = (error: unknown, host: string, timeout: AbortSignal): OutboundError => {
  if (error instanceof OutboundError) return error;
  if (timeout.aborted) return new UnreachableError(`${host} did not answer in time`, { cause: error });
  const code = (error as { code?: unknown } | null)?.code;
  const what = typeof code === 'string' ? ` (${code})` : '';
  return new UnreachableError(`${host} can not be reached${what}`, { cause: error });
};

/** {@link FetchJson} with undici: one connection per fetch, closed after it. */
export const jsonFetcher = (options: JsonFetcherOptions): FetchJson => {
  const { timeoutMs = TIMEOUT_MS, resolve } = options;
  const findRefusedAddress = addressPolicy(options.allowedCIDRs);
  const authoritiesFor = (caFile: string | undefined): Authorities | Promise<Authorities> => {
    if (caFile) return readAuthorities(caFile, []);
    return options.caFile === '' ? { ca: undefined } : readAuthorities(options.caFile, rootCertificates);
  };
  return async (text, { caFile, signal }: FetchOptions = {}) => {
    const url = parseUrl(text);
    const timeout = AbortSignal.timeout(timeoutMs);
    const { ca, unreadable } = await authoritiesFor(caFile);
    const dispatcher = new Agent({
      connect: guardedConnector({ findRefusedAddress, ca, timeoutMs, ...(resolve && { resolve }) }),
      maxHeaderSize: 16_384,
    });
    try {
      return await get(url, dispatcher, signal ? AbortSignal.any([timeout, signal]) : timeout);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      // A host is asked even then, so that it can't learn which files there are.
      throw unreadable ?? describe(error, url.host, timeout);
    } finally {
      await dispatcher.destroy().catch(() => {});
    }
  };
};
