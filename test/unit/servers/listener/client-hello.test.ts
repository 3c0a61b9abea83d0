import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { expect, test } from '@jest/globals';
import { helloStateOf } from '../../../../operator/servers/listener/client-hello.ts';

/** What a TLS client of this Node sends first. */
const clientHello = (): Promise<Buffer> =>
  new Promise((resolve) => {
    const peer = new Duplex({
      read: () => undefined,
      write: (chunk, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    connect({ socket: peer, servername: 'localhost' }).on('error', () => undefined);
  });

/** The same handshake message in records of so many bytes. */
const inRecordsOf = (hello: Buffer, size: number): Buffer => {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const content = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, content.length >> 8, content.length & 255]), content);
  }
  return Buffer.concat(records);
};

test('a ClientHello is whole with its last byte, and partial before, however it is split into records', async () => {
  const hello = await clientHello();
  for (const bytes of [hello, inRecordsOf(hello, 1), inRecordsOf(hello, 3), inRecordsOf(hello, 100)]) {
    expect(helloStateOf(bytes)).toBe('whole');
    for (let length = 0; length < bytes.length; length += 1) {
      expect(helloStateOf(bytes.subarray(0, length))).toBe('partial');
    }
    expect(helloStateOf(Buffer.concat([bytes, Buffer.from([1, 2, 3])]))).toBe('whole');
  }
});

test.each<[string, Buffer]>([
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['the preface of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\n')],
  ['another byte', Buffer.from([0])],
  ['another record', Buffer.from([23, 3, 3, 0, 1, 0])],
  ['another version', Buffer.from([22, 2, 0, 0, 1, 0])],
  ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
  ['another handshake message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
  ['a ClientHello of a megabyte', Buffer.from([22, 3, 1, 0, 4, 1, 16, 0, 0])],
])('%s is invalid', (_name, bytes) => {
  expect(helloStateOf(bytes)).toBe('invalid');
});
