import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Blocks, MessageDecoder } from '../../../../operator/servers/grpc/wire.ts';
import { frame } from './raw-call.ts';

const MAX = 1000;

const makeDecoder = ({ maxAtOnce = 256, maxBytes = MAX, blocks = new Blocks() } = {}) => {
  const seen = { kept: 0, most: 0, complete: 0, problems: [] as string[] };
  const decoder = new MessageDecoder(
    {
      maxBytes,
      maxAtOnce,
      onKept: (bytes) => {
        seen.kept += bytes;
        seen.most = Math.max(seen.most, seen.kept);
      },
      onComplete: (bytes) => {
        seen.complete += bytes;
      },
      onProblem: (problem) => seen.problems.push(problem),
    },
    blocks,
  );
  return { decoder, seen };
};

test('messages are the same however their bytes are split, and nothing is kept after the last one', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: MAX }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(messages, fc.array(fc.nat({ max: 700 }), { maxLength: 40 }), (sent, sizes) => {
      const { decoder, seen } = makeDecoder();
      const frames = sent.map((message) => frame(message));
      let rest = Buffer.concat(frames);
      const received: Buffer[] = [];
      for (const size of [...sizes, rest.length]) {
        received.push(...decoder.write(rest.subarray(0, size)).map((message) => Buffer.from(message)));
        rest = rest.subarray(size);
      }
      expect(Buffer.concat(received).equals(Buffer.concat(frames))).toBe(true);
      expect(received.map(({ length }) => length)).toEqual(frames.map(({ length }) => length));
      expect(seen.complete).toBe(Buffer.concat(frames).length);
      expect(seen.kept).toBe(0);
      expect(seen.most).toBeLessThanOrEqual(MAX + 5);
    }),
  );
});

test('a message that arrives byte by byte keeps no block from which a byte was taken', () => {
  const { decoder, seen } = makeDecoder();
  const message = frame(Buffer.alloc(MAX));
  for (let at = 0; at < message.length - 1; at += 1) {
    const block = Buffer.alloc(65_536);
    block[0] = message[at] ?? 0;
    expect(decoder.write(block.subarray(0, 1))).toEqual([]);
  }
  expect(seen.kept).toBe(MAX + 5);
  decoder.release();
  expect(seen.kept).toBe(0);
});

test('what a client announces and does not send is not kept', () => {
  const { decoder, seen } = makeDecoder();
  decoder.write(frame(Buffer.alloc(MAX)).subarray(0, 6));
  expect(seen.kept).toBeLessThanOrEqual(256);
});

test.each([5, 1])(
  'a message that is too large is rejected once its length is there, in blocks of %i',
  (size) => {
    const { decoder, seen } = makeDecoder();
    const head = frame(Buffer.alloc(MAX + 1)).subarray(0, 5);
    const write = (): void => {
      for (let at = 0; at < 5; at += size) decoder.write(head.subarray(at, at + size));
    };
    expect(write).toThrow('Received message larger than max (1001 vs 1000)');
    expect(seen.problems).toEqual(['tooLarge']);
  },
);

test.each([256, 2])('of a block, %i messages are taken and none beyond is dropped', (most) => {
  const { decoder, seen } = makeDecoder({ maxAtOnce: most });
  expect(decoder.write(Buffer.alloc(5 * most))).toHaveLength(most);
  expect(() => decoder.write(Buffer.alloc(5 * most + 1))).toThrow('Received too many messages at once');
  expect(seen.problems).toEqual(['tooMany']);
});

test.each([1000, 1])('a compressed message is rejected, in blocks of %i', (size) => {
  const { decoder, seen } = makeDecoder();
  const bytes = Buffer.concat([frame(Buffer.from('plain')), frame(Buffer.from('packed'), 1)]);
  const write = (): void => {
    for (let at = 0; at < bytes.length; at += size) decoder.write(bytes.subarray(at, at + size));
  };
  expect(write).toThrow('Received a compressed message, which is not supported');
  expect([seen.problems, seen.kept > MAX]).toEqual([['compressed'], false]);
});

test('a small message does not keep the block in which it arrived', () => {
  const block = Buffer.alloc(65_536);
  frame(Buffer.from('small')).copy(block, 1000);
  const [message] = makeDecoder().decoder.write(block.subarray(1000, 1010));
  expect([message?.toString('latin1', 5), message?.buffer.byteLength]).toEqual(['small', 10]);
});

test('half-sent messages, one after the other, are kept in the same memory', () => {
  const blocks = new Blocks();
  const message = frame(Buffer.alloc(65_000));
  const before = process.memoryUsage().arrayBuffers;
  const kept: number[] = [];
  for (let round = 0; round < 1000; round += 1) {
    const { decoder, seen } = makeDecoder({ maxBytes: 65_000, blocks });
    decoder.write(message.subarray(0, 49_000));
    kept.push(seen.kept);
    decoder.release();
  }
  expect(new Set(kept)).toEqual(new Set([5 + 3 * 16_384]));
  // Garbage counts as well.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
});

test('a message does not change when its blocks are used again', () => {
  const blocks = new Blocks();
  const receive = (byte: number): Buffer | undefined => {
    const { decoder } = makeDecoder({ maxBytes: 65_000, blocks });
    const message = frame(Buffer.alloc(60_000, byte));
    decoder.write(message.subarray(0, 50_000));
    return decoder.write(message.subarray(50_000))[0];
  };
  const [first, second] = [receive(1), receive(2)];
  expect(first?.subarray(5).equals(Buffer.alloc(60_000, 1))).toBe(true);
  expect(second?.subarray(5).equals(Buffer.alloc(60_000, 2))).toBe(true);
});
