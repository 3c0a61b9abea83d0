import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from '@jest/globals';
import {
  callBlock,
  FLAG,
  FRAME,
  frame,
  grpcMessage,
  preface,
  readFrames,
  settings,
  windowUpdate,
} from '../../support/http2-frames.ts';

const seen = (chunks: readonly Buffer[]): number[][] => {
  const frames: number[][] = [];
  const read = readFrames((...found) => frames.push(found));
  for (const chunk of chunks) read(chunk);
  return frames;
};

const BYTES = Buffer.concat([
  settings([[4, 1]]),
  frame(FRAME.data, { flags: FLAG.endStream, stream: 3, payload: Buffer.alloc(300, 1) }),
  windowUpdate(5, 1),
]);
const FRAMES = [
  [FRAME.settings, 0, 0],
  [FRAME.data, 3, FLAG.endStream],
  [FRAME.windowUpdate, 5, 0],
];

test.each([BYTES.length, 1, 5, 9, 100])('frames are found in pieces of %i bytes', (size) => {
  const chunks: Buffer[] = [];
  for (let at = 0; at < BYTES.length; at += size) chunks.push(BYTES.subarray(at, at + size));
  expect(seen(chunks)).toEqual(FRAMES);
});

test('a server of Node reads a call that is made of them', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    const asked = once(server, 'stream') as Promise<[ServerHttp2Stream, Record<string, string>]>;
    const long = 'a'.repeat(1000);
    socket.write(preface());
    const payload = callBlock('/a.B/C', [['x-long', long]]);
    socket.write(frame(FRAME.headers, { flags: FLAG.endHeaders, stream: 1, payload }));
    const message = grpcMessage(Buffer.from('hello'));
    socket.write(frame(FRAME.data, { flags: FLAG.endStream, stream: 1, payload: message }));
    const [stream, headers] = await asked;
    expect(headers).toMatchObject({ ':path': '/a.B/C', 'x-long': long, te: 'trailers' });
    expect(Buffer.concat(await stream.toArray())).toEqual(message);
    stream.destroy();
  } finally {
    socket.destroy();
    server.close();
  }
});
