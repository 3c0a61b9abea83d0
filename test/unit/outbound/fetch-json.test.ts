import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type LookupFunction,
} from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type JsonFetcherOptions, jsonFetcher } from '../../../operator/outbound/fetch-json.ts';
import { OutboundError } from '../../../operator/ports/outbound.ts';
import { createCertificates } from '../../cluster/certificates.ts';
import { type HttpsIssuer, startHttpsIssuer } from '../../support/https-issuer.ts';

const FETCH_JSON = join(import.meta.dirname, '../../../operator/outbound/fetch-json.ts');

let issuer: HttpsIssuer;
beforeAll(async () => {
  issuer = await startHttpsIssuer();
  issuer.serve('/document', { hello: 'world' });
});
afterAll(async () => {
  await issuer[Symbol.asyncDispose]();
});

const fetcher = (options: Partial<JsonFetcherOptions> = {}) =>
  jsonFetcher({ caFile: issuer.caFile, allowedCIDRs: ['127.0.0.1/32'], ...options });
/** Names that lead where the test says. */
const resolveTo =
  (...addresses: string[]): LookupFunction =>
  (_name, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

const failureOf = async (fetching: Promise<unknown>): Promise<string> => {
  const error = await fetching.then(
    () => new Error('it was fetched'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OutboundError);
  return (error as OutboundError).message;
};

test('a document is fetched over TLS that the caFile vouches for', async () => {
  expect(await fetcher()(`${issuer.url}/document`)).toEqual({ hello: 'world' });
  const own = fetcher({ caFile: '' });
  expect(await own(`${issuer.url}/document`, { caFile: issuer.caFile })).toEqual({ hello: 'world' });
});

test('a certificate of an unknown authority is rejected', async () => {
  const message = await failureOf(fetcher({ caFile: '' })(`${issuer.url}/document`));
  expect(message).toMatch(/can not be reached \(.*(?:SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET).*\)/u);
});

test("one caFile does not vouch for another's certificate", async () => {
  await using other = await startHttpsIssuer();
  const message = await failureOf(fetcher()(`${issuer.url}/document`, { caFile: other.caFile }));
  expect(message).toContain('can not be reached');
});

describe('an address that requests may not go to', () => {
  test('is rejected where the URL names it', async () => {
    const before = issuer.asked.length;
    const fetch = fetcher({ allowedCIDRs: [] });
    for (const host of [
      '127.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '169.254.169.254',
      '2130706433',
      '0x7f.1',
      '0',
    ]) {
      expect(await failureOf(fetch(`https://${host}:${issuer.port}/document`))).toContain('may not go to');
    }
    expect(issuer.asked).toHaveLength(before);
  });

  test('is rejected where a name leads to it, at the time of connecting', async () => {
    const url = `https://issuer.test:${issuer.port}/document`;
    const fetch = fetcher({ allowedCIDRs: [], resolve: resolveTo('127.0.0.1', '169.254.169.254', '::1') });
    expect(await failureOf(fetch(url))).toContain('(loopback)');
    expect(
      await failureOf(fetcher({ allowedCIDRs: [] })(`https://localhost:${issuer.port}/document`)),
    ).toContain('loopback');
  });

  test('is passed over where the name leads to others too', async () => {
    const resolve = resolveTo('169.254.169.254', '127.0.0.1');
    const fetch = fetcher({ resolve });
    expect(await fetch(`https://issuer.test:${issuer.port}/document`)).toEqual({ hello: 'world' });
  });
});

test.each([
  ['http', 'http://127.0.0.1/document'],
  ['a file', 'file:///etc/passwd'],
  ['no URL', 'issuer'],
  ['a user name', 'https://user:secret@127.0.0.1/document'],
])('%s is rejected before anything is sent', async (_, url) => {
  const message = await failureOf(fetcher()(url));
  expect(message).toMatch(/no https URL|user name/u);
  if (url.includes('@')) expect(message).not.toContain('secret');
});

test('a redirect is not followed', async () => {
  issuer.on('/redirect', (response) => response.writeHead(302, { location: '/document' }).end());
  const before = issuer.asked.length;
  expect(await failureOf(fetcher()(`${issuer.url}/redirect`))).toContain('redirect');
  expect(issuer.asked.slice(before)).toEqual(['/redirect']);
});

test.each([
  ['said to be too large', { 'content-length': String(300_000) }],
  ['of unknown length', {}],
])('a body %s is given up at 256 KiB', async (_, headers) => {
  issuer.on('/large', (response) => {
    response.writeHead(200, headers);
    response.end(`"${'a'.repeat(299_998)}"`);
  });
  expect(await failureOf(fetcher()(`${issuer.url}/large`))).toContain('262144');
  issuer.serve('/just', 'a'.repeat(262_142));
  expect(await fetcher()(`${issuer.url}/just`)).toHaveLength(262_142);
});

test.each([
  ['never begins to answer', () => {}],
  [
    'never ends its answer',
    (response: { writeHead(status: number): unknown; write(text: string): unknown }) => {
      response.writeHead(200);
      response.write('{');
    },
  ],
])('a server that %s is left after the time for the whole', async (_, answer) => {
  issuer.on('/slow', answer);
  expect(await failureOf(fetcher({ timeoutMs: 200 })(`${issuer.url}/slow`))).toContain('in time');
});

test('a host without TLS, or one that does not exist, is unreachable', async () => {
  const plain = createServer((_, response) => response.end('{}'));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const { port } = plain.address() as AddressInfo;
  expect(await failureOf(fetcher()(`https://127.0.0.1:${port}/`))).toContain('can not be reached');
  plain.closeAllConnections();
  await new Promise((resolve) => plain.close(resolve));
  expect(await failureOf(fetcher()(`https://127.0.0.1:${port}/`))).toBe(
    `127.0.0.1:${port} can not be reached (ECONNREFUSED)`,
  );
});

test('what is no JSON, and any other status, is no document', async () => {
  issuer.on('/html', (response) => response.writeHead(200).end('<html>secret</html>'));
  const message = await failureOf(fetcher()(`${issuer.url}/html`));
  expect(message).toContain('no JSON');
  expect(message).not.toContain('secret');
  expect(await failureOf(fetcher()(`${issuer.url}/missing`))).toContain('404');
});

const TEXT = JSON.stringify({ hello: 'wörld' });

describe('a document is read', () => {
  test.each<[string, Record<string, string>, string | Buffer]>([
    ['with a byte order mark', {}, `\uFEFF${TEXT}`],
    ['of the type of a JWKS', { 'content-type': 'application/jwk-set+json' }, TEXT],
    ['of the type of a text', { 'content-type': 'text/plain; charset=utf-8' }, TEXT],
    ['of no type', {}, TEXT],
    ['that is said not to be compressed', { 'content-encoding': 'identity' }, TEXT],
    ['compressed by gzip, unasked', { 'content-encoding': 'gzip' }, gzipSync(TEXT)],
    ['compressed by gzip, in capitals', { 'content-encoding': 'GZIP' }, gzipSync(TEXT)],
    ['compressed by gzip under its old name', { 'content-encoding': 'x-gzip' }, gzipSync(TEXT)],
    ['compressed by deflate', { 'content-encoding': 'deflate' }, deflateSync(TEXT)],
    ['compressed by deflate without a header', { 'content-encoding': 'deflate' }, deflateRawSync(TEXT)],
    ['compressed by brotli', { 'content-encoding': 'br' }, brotliCompressSync(TEXT)],
    ['with a byte order mark, compressed', { 'content-encoding': 'gzip' }, gzipSync(`\uFEFF${TEXT}`)],
  ])('%s', async (_name, headers, body) => {
    issuer.on('/served', (response) => response.writeHead(200, headers).end(body));
    expect(await fetcher()(`${issuer.url}/served`)).toEqual({ hello: 'wörld' });
  });

  test('of a server that serves a JWKS as nothing else', async () => {
    issuer.on('/strict', (response, request) => {
      const isAcceptable = request.headers.accept?.includes('application/jwk-set+json');
      response.writeHead(isAcceptable ? 200 : 406).end(TEXT);
    });
    expect(await fetcher()(`${issuer.url}/strict`)).toEqual({ hello: 'wörld' });
  });
});

describe('a document is rejected', () => {
  test.each<[string, Record<string, string>, string | Buffer, RegExp]>([
    ['of a coding that is not read', { 'content-encoding': 'zstd' }, TEXT, /Content-Encoding "zstd".*gzip/u],
    ['of two codings', { 'content-encoding': 'gzip, br' }, TEXT, /Content-Encoding that is unknown/u],
    ['of a made-up coding', { 'content-encoding': 'constructor' }, TEXT, /Content-Encoding "constructor"/u],
    ['that is not compressed as it says', { 'content-encoding': 'gzip' }, TEXT, /not compressed with gzip/u],
    [
      'that is compressed in part',
      { 'content-encoding': 'br' },
      brotliCompressSync(TEXT).subarray(0, 9),
      /br/u,
    ],
    [
      'that is too large, compressed by gzip',
      { 'content-encoding': 'gzip' },
      gzipSync(Buffer.alloc(50_000_000, 0x20)),
      /more than 262144 bytes/u,
    ],
    [
      'that is too large, compressed by brotli',
      { 'content-encoding': 'br' },
      brotliCompressSync(Buffer.alloc(5_000_000, 0x20)),
      /more than 262144 bytes/u,
    ],
    [
      'that is a page',
      { 'content-type': 'text/html; x=y' },
      '<html>',
      /of content type "text\/html" that is no JSON/u,
    ],
    ['of a made-up type', { 'content-type': 'a "b" <c>' }, 'x', /of content type that is unknown/u],
    ['in UTF-16', {}, Buffer.from(`\uFEFF${TEXT}`, 'utf16le'), /no JSON/u],
  ])('%s', async (_name, headers, body, words) => {
    issuer.on('/served', (response) => response.writeHead(200, headers).end(body));
    const message = await failureOf(fetcher()(`${issuer.url}/served`));
    expect(message).toMatch(words);
    expect(message.startsWith(`127.0.0.1:${issuer.port} answered with `)).toBe(true);
  });

  test.each([401, 403])('with status %s, which names what to do', async (status) => {
    issuer.on('/served', (response) => response.writeHead(status).end(TEXT));
    expect(await failureOf(fetcher()(`${issuer.url}/served`))).toContain(
      `(${status}): it has to be readable without credentials`,
    );
  });
});

describe('a proxy', () => {
  /** Ends every server, and the sockets of CONNECT, which a server does not count as connections. */
  const servers: (Server | HttpsServer)[] = [];
  const sockets: Duplex[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  const listening = async (server: Server | HttpsServer): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket: Duplex) => sockets.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };

  /** An HTTP proxy on loopback; what it was asked for, and by whom. */
  const startProxy = async (answer = 'HTTP/1.1 200 OK\r\n\r\n') => {
    const asked: string[] = [];
    const server = createServer();
    server.on('connect', ({ url, headers }, client) => {
      asked.push(`${url} ${headers['proxy-authorization'] ?? ''}`.trim());
      client.on('error', () => {});
      client.write(answer);
      if (!answer.includes(' 200 ')) return client.end();
      const upstream = connectTcp(Number(url?.split(':').at(-1)), '127.0.0.1');
      upstream.on('error', () => client.destroy());
      client.pipe(upstream).pipe(client);
    });
    const port = await listening(server);
    const proxy = {
      host: '127.0.0.1',
      port,
      isSecure: false,
      authorization: undefined as string | undefined,
    };
    return {
      asked,
      proxy,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        server.close();
      },
    };
  };

  test('is asked for the address of a URL, and carries the TLS of the issuer', async () => {
    await using it = await startProxy();
    const fetch = fetcher({ findProxy: () => it.proxy });
    expect(await fetch(`${issuer.url}/document`)).toEqual({ hello: 'world' });
    expect(it.asked).toEqual([`127.0.0.1:${issuer.port}`]);
  });

  test('is asked for an allowed address of a name, not for the name, which may lead elsewhere for it', async () => {
    await using it = await startProxy();
    const resolve = resolveTo('169.254.169.254', '127.0.0.1');
    const fetch = fetcher({ resolve, findProxy: () => it.proxy });
    expect(await fetch(`https://issuer.test:${issuer.port}/document`)).toEqual({ hello: 'world' });
    expect(it.asked).toEqual([`127.0.0.1:${issuer.port}`]);
  });

  test('is asked for nothing that requests may not go to', async () => {
    await using it = await startProxy();
    const findProxy = () => it.proxy;
    const fetch = fetcher({ allowedCIDRs: [], findProxy });
    expect(await failureOf(fetch(`${issuer.url}/document`))).toContain('may not go to (loopback)');
    const byName = fetcher({ allowedCIDRs: [], findProxy, resolve: resolveTo('169.254.169.254', '::1') });
    expect(await failureOf(byName('https://issuer.test/document'))).toContain('may not go to');
    const unknown: LookupFunction = (_name, _options, callback) =>
      callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), '', 0);
    expect(await failureOf(fetcher({ findProxy, resolve: unknown })('https://issuer.test/'))).toContain(
      'ENOTFOUND',
    );
    expect(it.asked).toEqual([]);
  });

  test('gets the user name and password, which no message has', async () => {
    await using it = await startProxy('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const authorization = 'Basic dXNlcjpwYXNz';
    const fetch = fetcher({ findProxy: () => ({ ...it.proxy, authorization }) });
    const message = await failureOf(fetch(`${issuer.url}/document`));
    expect(message).toBe(`the proxy of HTTPS_PROXY does not connect to 127.0.0.1:${issuer.port} (407)`);
    expect(it.asked).toEqual([`127.0.0.1:${issuer.port} ${authorization}`]);
  });

  test('is asked by the port and the host of the URL whether it is used', async () => {
    const asked: unknown[] = [];
    const fetch = fetcher({
      resolve: resolveTo('127.0.0.1'),
      findProxy: (...target) => {
        asked.push(target);
        return undefined;
      },
    });
    expect(await fetch(`https://issuer.test:${issuer.port}/document`)).toEqual({ hello: 'world' });
    expect(asked).toEqual([['issuer.test', issuer.port]]);
  });

  test.each([
    [
      'is not there',
      async () => {
        const server = createServer();
        const port = await listening(server);
        await new Promise((resolve) => server.close(resolve));
        return { port, end: () => {} };
      },
      /proxy of HTTPS_PROXY can not be reached \(ECONNREFUSED\)/u,
    ],
    [
      'never answers',
      async () => {
        const server = createServer().on('connect', () => {});
        const port = await listening(server);
        return { port, end: () => server.closeAllConnections() };
      },
      /in time|can not be reached/u,
    ],
    [
      'is no proxy',
      async () => {
        const server = createServer((_, response) => response.end('no'));
        const port = await listening(server);
        return { port, end: () => server.closeAllConnections() };
      },
      /proxy of HTTPS_PROXY can not be reached/u,
    ],
  ] as const)('that %s makes the issuer unreachable', async (_name, start, words) => {
    const { port, end } = await start();
    const proxy = { host: '127.0.0.1', port, isSecure: false, authorization: undefined };
    const fetch = fetcher({ timeoutMs: 300, findProxy: () => proxy });
    expect(await failureOf(fetch(`${issuer.url}/document`))).toMatch(words);
    end();
  });

  test('may use TLS, with a certificate that outbound.caFile vouches for, and the caFile of an issuer does not', async () => {
    const { ca, serving } = await createCertificates(['127.0.0.1']);
    const caFile = `${issuer.caFile}.proxy`;
    await writeFile(caFile, ca);
    const server = createHttpsServer({ cert: serving.certificate, key: serving.key });
    server.on('connect', (_request, client) => {
      client.on('error', () => {});
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      const upstream = connectTcp(issuer.port, '127.0.0.1');
      upstream.on('error', () => client.destroy());
      client.pipe(upstream).pipe(client);
    });
    const proxy = {
      host: '127.0.0.1',
      port: await listening(server),
      isSecure: true,
      authorization: undefined,
    };
    const findProxy = () => proxy;
    const own = { caFile: issuer.caFile };
    expect(await fetcher({ caFile, findProxy })(`${issuer.url}/document`, own)).toEqual({ hello: 'world' });
    const message = await failureOf(fetcher({ findProxy })(`${issuer.url}/document`, own));
    server.closeAllConnections();
    server.close();
    expect(message).toContain('proxy of HTTPS_PROXY can not be reached');
  });
});

test('authorities of NODE_EXTRA_CA_CERTS are trusted with a caFile and without one', async () => {
  await using other = await startHttpsIssuer();
  const script = `
    const [url, ...caFiles] = process.argv.slice(1);
    const { jsonFetcher } = await import(${JSON.stringify(FETCH_JSON)});
    for (const caFile of caFiles)
      console.log(JSON.stringify(await jsonFetcher({ caFile, allowedCIDRs: ['127.0.0.1/32'] })(url)));
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script, `${issuer.url}/document`, '', other.caFile],
    { env: { ...process.env, NODE_OPTIONS: '', NODE_EXTRA_CA_CERTS: issuer.caFile } },
  );
  expect(stdout.trim().split('\n')).toEqual(['{"hello":"world"}', '{"hello":"world"}']);
});

test('a caFile that can not be read is named', async () => {
  expect(await failureOf(fetcher()(`${issuer.url}/document`, { caFile: '/nowhere/ca.crt' }))).toContain(
    '/nowhere/ca.crt',
  );
  expect(await failureOf(fetcher()(`${issuer.url}/document`, { caFile: '/dev/zero' }))).toContain(
    '/dev/zero',
  );
  await writeFile(`${issuer.caFile}.broken`, 'no PEM');
  expect(
    await failureOf(fetcher()(`${issuer.url}/document`, { caFile: `${issuer.caFile}.broken` })),
  ).toBeDefined();
});

test.each(['/nowhere/ca.crt', '/etc', '/dev/zero', '/etc/passwd'])(
  'a host sees the same connection, which ends in the handshake, with the caFile %s',
  async (caFile) => {
    const events: string[] = [];
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      events.push('connected');
      // A ClientHello is a handshake record (RFC 8446 section 5.1). It is not answered.
      socket.once('data', ([type]) => {
        events.push(`record ${type}`);
        socket.destroy();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await failureOf(fetcher()(`https://127.0.0.1:${port}/`, { caFile }));
    server.close();
    expect(events).toEqual(['connected', 'record 22']);
  },
);

test('an aborted fetch rejects with the reason of its signal', async () => {
  issuer.on('/hang', () => {});
  const abort = new AbortController();
  const fetching = fetcher()(`${issuer.url}/hang`, { signal: abort.signal });
  abort.abort(new Error('the lease is lost'));
  await expect(fetching).rejects.toThrow('the lease is lost');
});
