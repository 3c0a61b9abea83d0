import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { ChannelCredentials, type ChannelCredentials as Credentials, credentials } from '@grpc/grpc-js';
import { beforeAll, expect, test } from '@jest/globals';
import { M2MOAuthServiceClient } from '../../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { type ClusterCertificates, createCertificates } from '../../../cluster/certificates.ts';
import { eventually } from '../../../support/eventually.ts';
import { rejectionOf } from '../../../support/grpc.ts';
import { makeCertificateFolder } from '../listener/certificate-folder.ts';
import { openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
/** The server over TLS, called by clients that check its certificate. */

let ours: ClusterCertificates;
let others: ClusterCertificates;
beforeAll(async () => {
  [ours, others] = await Promise.all([createCertificates(['localhost']), createCertificates(['localhost'])]);
});

const pairOf = ({ serving }: ClusterCertificates) => ({ cert: serving.certificate, key: serving.key });

/** The certificates are for a name, and loopback is found without one. */
const NAMED = { 'grpc.ssl_target_name_override': 'localhost' };

/** DeleteTokens over a new connection. */
const callWith = async ({ port }: ServerEnv, security: Credentials): Promise<unknown> => {
  const client = new M2MOAuthServiceClient(`127.0.0.1:${port}`, security, NAMED);
  try {
    return await new Promise((resolve, reject) => {
      const deadline = Date.now() + 10_000;
      client.waitForReady(deadline, (error) => {
        if (error) return reject(Object.assign(error, { code: 14, details: error.message, metadata: {} }));
        client.deleteTokens({ idFilter: [] }, (failed, response) =>
          failed ? reject(failed) : resolve(response),
        );
      });
    });
  } finally {
    client.close();
  }
};

const trusting = (authority: ClusterCertificates): Credentials =>
  credentials.createSsl(Buffer.from(authority.ca));
const presenting = (authority: ClusterCertificates, client: ClusterCertificates): Credentials =>
  credentials.createSsl(
    Buffer.from(authority.ca),
    Buffer.from(client.admin.key),
    Buffer.from(client.admin.certificate),
  );

const ANSWER = { blacklistedCount: 1n, deletedCount: 2n };

/** A TLS handshake by hand; resolves with the protocol, or the error's code. */
const shake = ({ port }: ServerEnv, options: ConnectionOptions): Promise<string | null | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    socket.once('secureConnect', () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
  });

test('a client that trusts the authority is served', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: false } });
  expect(await callWith(env, trusting(ours))).toEqual(ANSWER);
  expect(env.log.lines.find(({ message }) => message === 'gRPC listener started')?.fields).toMatchObject({
    tls: 'server',
  });
});

test('a call over TLS has the caller’s address', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: false } });
  await callWith(env, trusting(ours));
  expect(env.log.lines.find(({ message }) => message === 'gRPC call')?.fields).toMatchObject({
    address: '127.0.0.1',
  });
});

test('a new connection gets the new certificate, and an open one stays open', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: false } });
  const standing = new M2MOAuthServiceClient(`127.0.0.1:${env.port}`, trusting(ours), NAMED);
  const callStanding = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      standing.deleteTokens({ idFilter: [] }, (error, response) =>
        error ? reject(error) : resolve(response),
      );
    });
  expect(await callStanding()).toEqual(ANSWER);
  await folder.swap(pairOf(others));
  await eventually(() =>
    expect(env.log.lines.filter(({ message }) => message === 'certificate read')).toHaveLength(2),
  );
  expect(await callWith(env, trusting(others))).toEqual(ANSWER);
  expect(await callStanding()).toEqual(ANSWER);
  standing.close();
});

test('with mutual TLS a client with a certificate of the authority is served', async () => {
  await using folder = await makeCertificateFolder({ ...pairOf(ours), ca: ours.ca });
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: true } });
  expect(await callWith(env, presenting(ours, ours))).toEqual(ANSWER);
  expect(env.log.lines.find(({ message }) => message === 'gRPC listener started')?.fields).toMatchObject({
    tls: 'mutual',
  });
});

test.each<[string, () => Credentials]>([
  ['without a certificate', () => trusting(ours)],
  ['with a certificate of another authority', () => presenting(ours, others)],
  ['without TLS', () => ChannelCredentials.createInsecure()],
])('with mutual TLS a client %s is rejected', async (_name, security) => {
  await using folder = await makeCertificateFolder({ ...pairOf(ours), ca: ours.ca });
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: true } });
  expect(await rejectionOf(callOnce(env, security()))).toMatchObject({ code: 'UNAVAILABLE' });
  expect(env.metrics.calls).toEqual([]);
});

/** A call that does not wait for the connection to be made again. */
const callOnce = ({ port }: ServerEnv, security: Credentials): Promise<unknown> => {
  const client = new M2MOAuthServiceClient(`127.0.0.1:${port}`, security, NAMED);
  return new Promise((resolve, reject) => {
    client.deleteTokens({ idFilter: [] }, (error, response) => (error ? reject(error) : resolve(response)));
  }).finally(() => client.close());
};

test('with mutual TLS a change of the authorities counts for new connections', async () => {
  await using folder = await makeCertificateFolder({ ...pairOf(ours), ca: ours.ca });
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: true } });
  await folder.swap({ ...pairOf(ours), ca: others.ca });
  await eventually(async () => expect(await callOnce(env, presenting(ours, others))).toEqual(ANSWER));
  expect(await rejectionOf(callOnce(env, presenting(ours, ours)))).toMatchObject({ code: 'UNAVAILABLE' });
});

test('nothing older than TLS 1.2 is spoken', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: false } });
  const old = { ciphers: 'DEFAULT@SECLEVEL=0', ALPNProtocols: ['h2'] };
  expect(await shake(env, { ...old, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).toBe(
    'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  );
  expect(await shake(env, { ...old, maxVersion: 'TLSv1.2' })).toBe('TLSv1.2');
  expect(await shake(env, { ALPNProtocols: ['h2'] })).toBe('TLSv1.3');
});

test('a client that wants another protocol than HTTP/2 is rejected in the handshake', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: false } });
  expect(await shake(env, { ALPNProtocols: ['http/1.1'] })).toMatch(/^E/u);
});

test('connections that break off, at whatever point, leave the server open', async () => {
  await using folder = await makeCertificateFolder(pairOf(ours));
  await using env = await openServerEnv({}, { tls: { ...folder.files, clientCertificateRequired: false } });
  for (const bytes of ['', '\u0016\u0003\u0001', 'GET / HTTP/1.1\r\n\r\n']) {
    const socket = connectPlain(env.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(bytes);
    socket.resetAndDestroy();
  }
  const socket = connectPlain(env.port, '127.0.0.1');
  const secured = connect({ socket, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  secured.on('error', () => undefined);
  await once(secured, 'secureConnect');
  socket.resetAndDestroy();
  expect(await callWith(env, trusting(ours))).toEqual(ANSWER);
});

test('certificates that can’t be used fail the start', async () => {
  await using folder = await makeCertificateFolder({
    cert: ours.serving.certificate,
    key: others.serving.key,
  });
  const tls = { ...folder.files, clientCertificateRequired: false };
  await expect(openServerEnv({}, { tls })).rejects.toThrow(/key values mismatch/u);
});
