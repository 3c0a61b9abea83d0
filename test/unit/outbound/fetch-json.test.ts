import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type LookupFunction } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type JsonFetcherOptions, jsonFetcher } from '../../../operator/outbound/fetch-json.ts';
import { OutboundError } from '../../../operator/ports/outbound.ts';
import { type HttpsIssuer, startHttpsIssuer } from '../../support/https-issuer.ts';

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
