import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import type { Clock } from '../../../../operator/ports/clock.ts';
import { openServerCertificates } from '../../../../operator/servers/listener/server-certificates.ts';
import { type ClusterCertificates, createCertificates } from '../../../cluster/certificates.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { type CertificateFolder, type Content, makeCertificateFolder } from './certificate-folder.ts';

// Real sockets, files and timers on a machine that may be busy.
let first: ClusterCertificates;
let second: ClusterCertificates;
beforeAll(async () => {
  [first, second] = await Promise.all([createCertificates(['127.0.0.1']), createCertificates(['127.0.0.1'])]);
});

const pairOf = ({ serving }: ClusterCertificates): Content => ({
  cert: serving.certificate,
  key: serving.key,
});
const printOf = ({ serving }: ClusterCertificates): string =>
  new X509Certificate(serving.certificate).fingerprint256;

/** An HTTPS server on the files. */
const serve = async (folder: CertificateFolder, clock: Clock = systemClock) => {
  const log = recordedLog();
  const certificates = await openServerCertificates({ files: folder.files, clock, log });
  const server: Server = createServer(certificates.context);
  certificates.follow(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    log,
    certificates,
    /** What a new connection is shown. */
    shown: (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '');
          socket.destroy();
        });
        socket.on('error', reject);
      }),
    [Symbol.asyncDispose]: async () => {
      certificates.stop();
      server.close();
      server.closeAllConnections();
    },
  };
};

const warnings = (log: ReturnType<typeof recordedLog>) => log.lines.filter(({ level }) => level === 'warn');

test('a new connection is shown what the files say once Kubernetes has changed them', async () => {
  await using folder = await makeCertificateFolder(pairOf(first));
  await using server = await serve(folder);
  expect(await server.shown()).toBe(printOf(first));
  await folder.swap(pairOf(second));
  await eventually(async () => expect(await server.shown()).toBe(printOf(second)));
  await folder.swap(pairOf(first));
  await eventually(async () => expect(await server.shown()).toBe(printOf(first)));
  expect(warnings(server.log)).toEqual([]);
});

test('each reading is logged with its result, and without its content', async () => {
  await using folder = await makeCertificateFolder(pairOf(first));
  await using server = await serve(folder);
  await folder.swap(pairOf(second));
  await eventually(() => expect(server.log.lines).toHaveLength(2));
  expect(server.log.lines).toEqual(
    [first, second].map(({ serving }) => ({
      level: 'info',
      message: 'certificate read',
      fields: {
        certFile: folder.files.certFile,
        validUntil: new Date(new X509Certificate(serving.certificate).validTo).toISOString(),
      },
    })),
  );
});

test('a pair that does not match is logged once, the old one stays in use, and the next valid one is taken', async () => {
  await using folder = await makeCertificateFolder(pairOf(first));
  await using server = await serve(folder);
  await folder.swap({ cert: second.serving.certificate, key: first.serving.key });
  await eventually(() => expect(warnings(server.log)).toHaveLength(1), { timeoutMs: 4000 });
  expect(await server.shown()).toBe(printOf(first));
  const text = JSON.stringify(server.log.lines.map(({ fields }) => [fields, String(fields.error)]));
  for (const line of `${first.serving.key}${second.serving.certificate}`.split('\n')) {
    if (line.length > 8) expect(text).not.toContain(line);
  }
  await folder.swap(pairOf(second));
  await eventually(async () => expect(await server.shown()).toBe(printOf(second)));
  expect(warnings(server.log)).toHaveLength(1);
});

/** Only the timers of these tests move, and they do so once the files have been read. */
const onFakeTimers = async (content: Content) => {
  const folder = await makeCertificateFolder(content);
  const clock = new FakeClock();
  return { folder, clock, server: await serve(folder, clock) };
};

test('a change without a file event is found by the periodic check', async () => {
  const { folder, clock, server } = await onFakeTimers(pairOf(first));
  await using _folder = folder;
  await using _server = server;
  await folder.overwrite('tls.crt', second.serving.certificate);
  await folder.overwrite('tls.key', second.serving.key);
  expect(await server.shown()).toBe(printOf(first));
  await clock.advance(31_000);
  await eventually(async () => expect(await server.shown()).toBe(printOf(second)));
});

test('files that are written one after the other are taken when the last one is written, without a warning', async () => {
  const { folder, clock, server } = await onFakeTimers(pairOf(first));
  await using _folder = folder;
  await using _server = server;
  await folder.overwrite('tls.crt', second.serving.certificate);
  await clock.advance(31_000);
  // The check has failed when a retry waits beside the next periodic check.
  await eventually(() => expect(clock.pending).toBe(2));
  await folder.overwrite('tls.key', second.serving.key);
  await clock.advance(1_000);
  await eventually(async () => expect(await server.shown()).toBe(printOf(second)));
  expect(warnings(server.log)).toEqual([]);
});

test('a missing file is logged once, however often it is checked', async () => {
  const { folder, clock, server } = await onFakeTimers(pairOf(first));
  await using _server = server;
  await folder[Symbol.asyncDispose]();
  await eventually(async () => {
    await clock.advance(31_000);
    expect(warnings(server.log)).toHaveLength(1);
  });
  for (let round = 0; round < 5; round += 1) {
    await clock.advance(31_000);
    // A handshake takes longer than finding out that there is no file.
    expect(await server.shown()).toBe(printOf(first));
  }
  expect(warnings(server.log)).toHaveLength(1);
});

test('other authorities are taken without another certificate', async () => {
  const { folder, clock, server } = await onFakeTimers({ ...pairOf(first), ca: first.ca });
  await using _folder = folder;
  await using _server = server;
  await folder.overwrite('ca.crt', second.ca);
  await clock.advance(31_000);
  await eventually(() => expect(server.certificates.context.ca?.toString()).toBe(second.ca));
});

test('other files in the folder change nothing', async () => {
  await using folder = await makeCertificateFolder(pairOf(first));
  await using server = await serve(folder);
  await writeFile(join(folder.dir, 'other'), 'text');
  await folder.swap(pairOf(second));
  await eventually(async () => expect(await server.shown()).toBe(printOf(second)));
  expect(server.log.lines).toHaveLength(2);
});

test('after its end nothing is looked at', async () => {
  const { folder, clock, server } = await onFakeTimers(pairOf(first));
  await using _folder = folder;
  await using _server = server;
  server.certificates.stop();
  expect(clock.pending).toBe(0);
  await folder.swap(pairOf(second));
  await clock.advance(60_000);
  expect(await server.shown()).toBe(printOf(first));
});

test('files that can’t be used fail the start', async () => {
  await using folder = await makeCertificateFolder({
    cert: first.serving.certificate,
    key: second.serving.key,
  });
  await expect(serve(folder)).rejects.toThrow(/key values mismatch/u);
});
