import { once } from 'node:events';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { beforeAll, expect, test } from '@jest/globals';
import type { Issuer } from '../../../../operator/issuer/use-cases.ts';
import { LISTENER_LIMITS } from '../../../../operator/servers/http/limits.ts';
import { type ClusterCertificates, createCertificates } from '../../../cluster/certificates.ts';
import { eventually } from '../../../support/eventually.ts';
import { type CertificateFolder, makeCertificateFolder } from '../listener/certificate-folder.ts';
import { haltingList } from './lists.ts';
import { sendRaw } from './raw-http.ts';
import { BASE, openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
/** The server over TLS, called by clients that check its certificate. */

let ours: ClusterCertificates;
let others: ClusterCertificates;
beforeAll(async () => {
  [ours, others] = await Promise.all([createCertificates(['localhost']), createCertificates(['localhost'])]);
});

const pairOf = ({ serving }: ClusterCertificates) => ({ cert: serving.certificate, key: serving.key });
const trusting = ({ ca }: ClusterCertificates): ConnectionOptions => ({ ca, servername: 'localhost' });
const presenting = (authority: ClusterCertificates, { admin }: ClusterCertificates): ConnectionOptions => ({
  ...trusting(authority),
  cert: admin.certificate,
  key: admin.key,
});

const openWith = (
  { files }: CertificateFolder,
  clientCertificateRequired = false,
  issuer: Partial<Issuer> = {},
): Promise<ServerEnv> => openServerEnv(issuer, { tls: { ...files, clientCertificateRequired } });

/** The status of a request on a new connection, or the code of its error. */
const ask = ({ port }: ServerEnv, options: ConnectionOptions): Promise<number | string | undefined> =>
  new Promise((resolve) => {
    const target = { host: '127.0.0.1', port, path: `${BASE}/api/v1/tokens`, agent: false };
    const asked = request({ ...target, ...options }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
    asked.end();
  });

/** A TLS handshake by hand; resolves with protocol and ALPN, or the error's code. */
const shake = ({ port }: ServerEnv, options: ConnectionOptions): Promise<unknown> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    socket.once('secureConnect', () => {
      resolve([socket.getProtocol(), socket.alpnProtocol]);
      socket.destroy();
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
  });

const secureSocket = async ({ port }: ServerEnv): Promise<TLSSocket> => {
  const socket = connect({ port, host: '127.0.0.1', ...trusting(ours) });
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
};
const TOKENS = `GET ${BASE}/api/v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n`;

test('a client that trusts the authority is served, and has its address', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openWith(folder);
  expect(await ask(env, trusting(ours))).toBe(200);
  expect(await ask(env, trusting(others))).toMatch(/CERT|SIGNATURE|ISSUER/u);
  expect(env.log.lines.find(({ message }) => message === 'HTTP listener started')?.fields).toMatchObject({
    tls: 'server',
  });
  await eventually(() => expect(env.requests()).toEqual([expect.objectContaining({ address: '127.0.0.1' })]));
});

test('a new connection gets the new certificate, and an open one stays open', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openWith(folder);
  const standing = await secureSocket(env);
  await folder.swap(pairOf(others));
  await eventually(() =>
    expect(env.log.lines.filter(({ message }) => message === 'certificate read')).toHaveLength(2),
  );
  expect(await ask(env, trusting(others))).toBe(200);
  standing.write(TOKENS);
  const [answer] = await once(standing, 'data');
  expect(answer).toContain('200 OK');
  standing.destroy();
});

test('with mutual TLS a client with a certificate of the authority is served', async () => {
  await using folder = await makeCertificateFolder({ ...pairOf(ours), ca: ours.ca });
  await using env = await openWith(folder, true);
  expect(await ask(env, presenting(ours, ours))).toBe(200);
  expect(env.log.lines.find(({ message }) => message === 'HTTP listener started')?.fields).toMatchObject({
    tls: 'mutual',
  });
});

test.each<[string, () => ConnectionOptions]>([
  ['without a certificate', () => trusting(ours)],
  ['with a certificate of another authority', () => presenting(ours, others)],
])('with mutual TLS a client %s is rejected', async (_name, options) => {
  await using folder = await makeCertificateFolder({ ...pairOf(ours), ca: ours.ca });
  await using env = await openWith(folder, true);
  expect(await ask(env, options())).toMatch(/^E/u);
  expect(env.calls).toEqual([]);
  expect(env.requests()).toEqual([]);
});

test('with mutual TLS a change of the authorities counts for new connections', async () => {
  await using folder = await makeCertificateFolder({ ...pairOf(ours), ca: ours.ca });
  await using env = await openWith(folder, true);
  await folder.swap({ ...pairOf(ours), ca: others.ca });
  await eventually(async () => expect(await ask(env, presenting(ours, others))).toBe(200));
  expect(await ask(env, presenting(ours, ours))).toMatch(/^E/u);
});

test('a client certificate is no bearer', async () => {
  await using folder = await makeCertificateFolder({ ...pairOf(ours), ca: ours.ca });
  await using env = await openWith(folder, true);
  await ask(env, presenting(ours, ours));
  expect(env.calls[0]?.[1]).toBeUndefined();
});

test('nothing older than TLS 1.2 is spoken', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openWith(folder);
  const old = { ciphers: 'DEFAULT@SECLEVEL=0' };
  expect(await shake(env, { ...old, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).toBe(
    'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  );
  expect(await shake(env, { ...old, maxVersion: 'TLSv1.2' })).toEqual(['TLSv1.2', false]);
  expect(await shake(env, { ALPNProtocols: ['h2', 'http/1.1'] })).toEqual(['TLSv1.3', 'http/1.1']);
});

test('a client that wants HTTP/2 alone is rejected in the handshake', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openWith(folder);
  expect(await shake(env, { ALPNProtocols: ['h2'] })).toMatch(/^E/u);
});

test('connections that break off or use another protocol leave the server open', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openWith(folder);
  for (const bytes of ['', '\u0016\u0003\u0001', TOKENS]) {
    const socket = connectPlain(env.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(bytes);
    socket.resetAndDestroy();
  }
  expect(await sendRaw(env.port, TOKENS)).toBeUndefined();
  const secured = await secureSocket(env);
  secured.destroy();
  expect(await ask(env, trusting(ours))).toBe(200);
  expect(env.calls).toHaveLength(2);
});

test('a handshake that does not come is given up', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  const limits = { ...LISTENER_LIMITS, handshakeMs: 300 };
  const tls = { ...folder.files, clientCertificateRequired: false };
  await using env = await openServerEnv({}, { tls, limits });
  const socket = connectPlain(env.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'close');
  expect(await ask(env, trusting(ours))).toBe(200);
  await eventually(() => expect(env.requests()).toHaveLength(1));
});

test('a stop lets idle connections go, and a stream end', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  const list = haltingList();
  await using env = await openWith(folder, false, list);
  const [idle, busy] = [await secureSocket(env), await secureSocket(env)];
  let received = '';
  busy.on('data', (text: string) => {
    received += text;
  });
  busy.write(TOKENS);
  await eventually(() => received.includes('one'));
  const stopping = env.server.stop(60_000);
  await once(idle, 'close');
  list.goOn();
  await once(busy, 'close');
  expect(received).toContain('three');
  expect(received.endsWith('0\r\n\r\n')).toBe(true);
  await stopping;
});

test('a handshake that is under way when the server stops is cut off within the drain time', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openWith(folder);
  const socket = connectPlain(env.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  await env.server.stop(500);
  await closed;
});

test('certificates that can’t be used fail the start', async () => {
  await using folder = await makeCertificateFolder({
    cert: ours.serving.certificate,
    key: others.serving.key,
  });
  await expect(openWith(folder)).rejects.toThrow(/key values mismatch/u);
});
