import { beforeAll, expect, test } from '@jest/globals';
import { contextOptionsOf, readCertificates } from '../../../../operator/servers/listener/certificates.ts';
import { type ClusterCertificates, createCertificates } from '../../../cluster/certificates.ts';
import { type Content, makeCertificateFolder } from './certificate-folder.ts';

let ours: ClusterCertificates;
let other: ClusterCertificates;
beforeAll(async () => {
  [ours, other] = await Promise.all([createCertificates(['127.0.0.1']), createCertificates(['127.0.0.1'])]);
});

const content = (more: Partial<Content> = {}): Content => ({
  cert: ours.serving.certificate,
  key: ours.serving.key,
  ...more,
});

test('a pair is read, with its end', async () => {
  await using folder = await makeCertificateFolder(content());
  const read = await readCertificates(folder.files);
  expect(read.cert.toString()).toBe(ours.serving.certificate);
  expect(read.ca).toBeUndefined();
  expect(read.notAfter.getTime()).toBeGreaterThan(Date.now());
});

test('authorities are read with it, several in one file', async () => {
  const ca = `${ours.ca}\n# a comment\n${other.ca}\n`;
  await using folder = await makeCertificateFolder(content({ ca }));
  expect((await readCertificates(folder.files)).ca?.toString()).toBe(ca);
});

test('a server that uses it accepts TLS 1.2 and later, with the ciphers of Node', async () => {
  await using folder = await makeCertificateFolder(content());
  expect(contextOptionsOf(await readCertificates(folder.files))).toEqual({
    cert: Buffer.from(ours.serving.certificate),
    key: Buffer.from(ours.serving.key),
    minVersion: 'TLSv1.2',
  });
});

const cut = (pem: string): string => pem.slice(0, pem.length / 2);

test.each<[string, () => Content]>([
  ['a key of another certificate', () => content({ key: other.serving.key })],
  ['no certificate in the file', () => content({ cert: 'garbage' })],
  ['an empty file', () => content({ cert: '' })],
  ['a certificate that is cut short', () => content({ cert: cut(ours.serving.certificate) })],
  ['a key that is cut short', () => content({ key: cut(ours.serving.key) })],
  [
    'key and certificate in each other’s place',
    () => ({ cert: ours.serving.key, key: ours.serving.certificate }),
  ],
  ['no authority in the file', () => content({ ca: 'garbage' })],
  ['an authority that is cut short', () => content({ ca: cut(ours.ca) })],
  ['a second authority that is cut short', () => content({ ca: `${ours.ca}\n${cut(other.ca)}` })],
  ['an authority that is no certificate', () => content({ ca: ours.ca.replace('MI', 'AA') })],
])('%s is rejected, and the error contains none of it', async (_name, make) => {
  const broken = make();
  await using folder = await makeCertificateFolder(broken);
  const error = await readCertificates(folder.files).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  expect(error?.message).toMatch(/certificate|PEM|DECODER|asn1/u);
  for (const text of Object.values(broken)) {
    for (const line of String(text).split('\n')) {
      if (line.length > 8) expect(`${error?.message} ${error?.stack}`).not.toContain(line);
    }
  }
});

test('a file that is missing is rejected', async () => {
  await using folder = await makeCertificateFolder(content());
  const files = { ...folder.files, keyFile: `${folder.dir}/none` };
  await expect(readCertificates(files)).rejects.toMatchObject({ code: 'ENOENT' });
});
