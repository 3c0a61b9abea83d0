import { readFile, stat } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';
import { addressPolicy } from '../domain/address-policy.ts';
import {
  type FetchJson,
  type FetchOptions,
  type FindProxy,
  OutboundError,
  UnreachableError,
} from '../ports/outbound.ts';
import { decodeJson } from './decode-body.ts';
import { guardedConnector } from './guarded-connector.ts';

export interface JsonFetcherOptions {
  /** PEM authorities that are trusted beside Node's own and those of NODE_EXTRA_CA_CERTS; '' for none. */
  readonly caFile: string;
  /** Validated CIDR blocks that may be reached though they would be rejected. */
  readonly allowedCIDRs: readonly string[];
  /** For the whole of a fetch, connecting and reading; 5 s unless given. */
  readonly timeoutMs?: number;
  readonly resolve?: LookupFunction;
  /** Absent: every host is reached directly. */
  readonly findProxy?: FindProxy;
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

/** The most characters of a URL in a message: an issuer may have made it up. */
const MAX_SHOWN = 256;

const parseUrl = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:') {
    throw new OutboundError(`${JSON.stringify(text.slice(0, MAX_SHOWN))} is no https URL`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new OutboundError('a URL with a user name or password is not fetched');
  }
  return url;
};

const readBody = async (body: AsyncIterable<Uint8Array>, host: string): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new OutboundError(`${host} answered with more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

/** Some servers serve a JWKS as its own type only (RFC 7517 §8.5), as kube-apiserver does, and a document without any. */
const ACCEPTED = 'application/json, application/jwk-set+json, */*;q=0.5';

const textOf = (header: string | string[] | undefined): string => [header ?? ''].flat().join(', ');

/** What a status other than 200 says (RFC 9110 §15). */
const describeStatus = (status: number): string => {
  if (status >= 300 && status < 400) return `a redirect, which is not followed (${status})`;
  if (status === 401 || status === 403)
    return `no document (${status}): it has to be readable without credentials`;
  return `no document (${status})`;
};

const get = async (url: URL, dispatcher: Dispatcher, signal: AbortSignal): Promise<unknown> => {
  const { statusCode, headers, body } = await dispatcher.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    headers: { accept: ACCEPTED, 'accept-encoding': 'identity' },
    signal,
  });
  if (statusCode === 200) {
    const contentEncoding = textOf(headers['content-encoding']);
    const contentType = textOf(headers['content-type']);
    const bytes = await readBody(body, url.host);
    return decodeJson({ bytes, contentEncoding, contentType }, { host: url.host, maxBytes: MAX_BYTES });
  }
  body.on('error', () => {}).destroy();
  throw new OutboundError(`${url.host} answered with ${describeStatus(statusCode)}`);
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
  const { timeoutMs = TIMEOUT_MS, resolve, findProxy } = options;
  const findRefusedAddress = addressPolicy(options.allowedCIDRs);
  const authoritiesFor = (caFile: string | undefined): Authorities | Promise<Authorities> => {
    if (caFile) return readAuthorities(caFile, []);
    return options.caFile === ''
      ? { ca: undefined }
      : readAuthorities(options.caFile, getCACertificates('default'));
  };
  return async (text, { caFile, signal }: FetchOptions = {}) => {
    const url = parseUrl(text);
    const timeout = AbortSignal.timeout(timeoutMs);
    const { ca, unreadable } = await authoritiesFor(caFile);
    // A caFile of an issuer is for it alone, and not for the proxy before it.
    const { ca: proxyCa } = findProxy && caFile ? await authoritiesFor(undefined) : { ca };
    const dispatcher = new Agent({
      connect: guardedConnector({
        findRefusedAddress,
        ca,
        timeoutMs,
        findProxy,
        proxyCa,
        ...(resolve && { resolve }),
      }),
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
