import { type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { DownloadError } from './download-error.ts';
import { createSilenceLimit, type SilenceLimit } from './silence-limit.ts';

/** How long a host may be silent, and which hosts may be asked. */
export interface DownloadLimits {
  /** Until the first byte of an answer, name resolution and connection included; each redirect has as long. */
  readonly answerMs: number;
  /** Between two pieces of a body. */
  readonly stallMs: number;
  /** Whether `http:` is permitted to a loopback address, where tests have their server. */
  readonly allowHttpLoopback: boolean;
}

export interface DownloadRequest {
  readonly url: string;
  readonly maxBytes: number;
  readonly limits: DownloadLimits;
  /** HTTPS_PROXY and NO_PROXY, in either case, decide the route. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
}

interface Body {
  /** From Content-Length, if the host sends it. */
  readonly totalBytes: number | undefined;
  /** Ends with a DownloadError if the body stalls, breaks off or exceeds `maxBytes`. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

/**
 * Downloads a file over https, following redirects, and passes its body to `consume`.
 * @throws DownloadError unless the host answers 200 in time with something other than a web page.
 */
export async function download<T>(wanted: DownloadRequest, consume: (body: Body) => Promise<T>): Promise<T> {
  const dispatcher = buildDispatcher(wanted.env);
  const silence = createSilenceLimit(wanted.signal);
  try {
    const { response, url } = await followRedirects(wanted, { dispatcher, silence });
    checkAnswer(response, url);
    const totalBytes = contentLength(response);
    if (totalBytes !== undefined && totalBytes > wanted.maxBytes) throw tooLarge(url, wanted);
    return await consume({ totalBytes, chunks: readBody(response, { url, wanted, silence }) });
  } finally {
    silence.end();
    await dispatcher.destroy();
  }
}

/** Empty strings keep undici from reading process.env in place of `env`. */
function buildDispatcher(env: NodeJS.ProcessEnv): Dispatcher {
  const httpProxy = env.http_proxy ?? env.HTTP_PROXY ?? '';
  const httpsProxy = env.https_proxy ?? env.HTTPS_PROXY ?? '';
  try {
    return new EnvHttpProxyAgent({ httpProxy, httpsProxy, noProxy: env.no_proxy ?? env.NO_PROXY ?? '' });
  } catch (cause) {
    // Without the value, which may hold a password.
    throw new DownloadError('HTTPS_PROXY or HTTP_PROXY is not the address of a proxy', {
      hostFailed: true,
      cause,
    });
  }
}

interface Connection {
  readonly dispatcher: Dispatcher;
  readonly silence: SilenceLimit;
}

interface Answer {
  readonly response: Dispatcher.ResponseData;
  readonly url: URL;
}

async function followRedirects(wanted: DownloadRequest, connection: Connection): Promise<Answer> {
  let url = new URL(wanted.url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    if (!isPermitted(url, wanted.limits)) throw failure(url, 'refused, since it is not https');
    const response = await firstAnswer(url, wanted, connection);
    if (!REDIRECTS.has(response.statusCode)) return { response, url };
    response.body.on('error', () => {}).destroy();
    const location = String(response.headers.location ?? '');
    if (!location || !URL.canParse(location, url.href)) throw failure(url, 'a redirect that leads nowhere');
    url = new URL(location, url);
  }
  throw failure(url, `more than ${MAX_REDIRECTS} redirects`);
}

function isPermitted(url: URL, { allowHttpLoopback }: DownloadLimits): boolean {
  return url.protocol === 'https:' || (allowHttpLoopback && LOOPBACK.has(url.hostname));
}

/** undici heeds a signal only once the connection is made, so that the wait for it ends here. */
async function firstAnswer(
  url: URL,
  { limits }: DownloadRequest,
  { dispatcher, silence }: Connection,
): Promise<Dispatcher.ResponseData> {
  silence.restart(limits.answerMs, () => failure(url, `no answer within ${limits.answerMs / 1000} s`));
  const answer = request(url, { dispatcher, signal: silence.signal, headers: HEADERS });
  try {
    return await Promise.race([answer, silence.exceeded]);
  } catch (cause) {
    answer.catch(() => {});
    silence.signal.throwIfAborted();
    throw failure(url, reasonOf(cause), { cause });
  }
}

/** The bytes themselves are wanted, since a digest is taken of them. */
const HEADERS = { 'accept-encoding': 'identity', 'user-agent': 'm2m-oauth-operator' };

function checkAnswer({ statusCode, headers }: Dispatcher.ResponseData, url: URL): void {
  if (statusCode === 404) throw failure(url, `${url.pathname} does not exist (404)`, { hostFailed: false });
  if (statusCode !== 200) throw failure(url, `status ${statusCode}`);
  if (/^text\/html\b/iu.test(String(headers['content-type']))) {
    throw failure(url, 'a web page in place of the file, as a proxy or a login page sends it');
  }
}

function contentLength({ headers }: Dispatcher.ResponseData): number | undefined {
  const length = headers['content-length'];
  return typeof length === 'string' ? Number(length) : undefined;
}

interface Reading {
  readonly url: URL;
  readonly wanted: DownloadRequest;
  readonly silence: SilenceLimit;
}

async function* readBody({ body }: Dispatcher.ResponseData, { url, wanted, silence }: Reading) {
  const { stallMs } = wanted.limits;
  const stalled = () => failure(url, `the download stalled: nothing came for ${stallMs / 1000} s`);
  let received = 0;
  silence.restart(stallMs, stalled);
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      silence.restart(stallMs, stalled);
      received += chunk.length;
      if (received > wanted.maxBytes) throw tooLarge(url, wanted);
      yield chunk;
    }
  } catch (cause) {
    silence.signal.throwIfAborted();
    if (cause instanceof DownloadError) throw cause;
    const reason = `the download broke off after ${received} bytes (${reasonOf(cause)})`;
    throw failure(url, reason, { cause, hostFailed: false });
  }
}

function tooLarge(url: URL, { maxBytes }: DownloadRequest): DownloadError {
  return failure(url, `${url.pathname} is larger than ${maxBytes} bytes`, { hostFailed: false });
}

function failure(url: URL, reason: string, options: ErrorOptions & { hostFailed?: boolean } = {}) {
  return new DownloadError(`${url.host}: ${reason}`, { hostFailed: true, ...options });
}

/** An AggregateError about several addresses has a code and no message. */
function reasonOf(cause: unknown): string {
  const { message, code } = cause as NodeJS.ErrnoException;
  return message || code || String(cause);
}
