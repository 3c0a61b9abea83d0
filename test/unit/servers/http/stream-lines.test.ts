import { expect, test } from '@jest/globals';
import type { FastifyReply } from 'fastify';
import { streamLines } from '../../../../operator/servers/http/stream-lines.ts';
import { settle } from '../../../support/fake-clock.ts';
import { tokenRecord } from '../grpc/server-env.ts';
import { lineOf } from './lists.ts';
import { RawConnection, rawRequest } from './raw-http.ts';
import { BASE, openServerEnv } from './server-env.ts';

/** Lists are written line by line: some clients read one line with each read of the body, as grpc-gateway sends them. */

/** A response whose writes the test completes. */
const heldReply = () => {
  const written: string[] = [];
  const taken: ((error?: Error) => void)[] = [];
  let ended = false;
  const raw = {
    writeHead: () => raw,
    flushHeaders: () => undefined,
    write: (line: string, callback: (error?: Error) => void) => {
      written.push(line);
      taken.push(callback);
      return true;
    },
    end: () => {
      ended = true;
    },
  };
  const reply = { raw, request: { method: 'GET' }, hijack: () => reply, getHeaders: () => ({}) };
  return { written, taken, isEnded: () => ended, reply: reply as unknown as FastifyReply };
};

async function* chunksOf(...chunks: string[][]): AsyncGenerator<string[]> {
  yield* chunks;
}

const start = (chunks: AsyncIterable<string[]>) => {
  const held = heldReply();
  const gone = new AbortController();
  const sent = streamLines(held.reply, {
    type: 'text/plain',
    chunks,
    line: (text) => `${text}\n`,
    call: { signal: gone.signal },
  });
  return { ...held, gone, sent };
};

test('a line is written when the network has taken the one before', async () => {
  const { written, taken, isEnded, sent } = start(chunksOf(['a', 'b'], [], ['c']));
  for (const wanted of [['a\n'], ['a\n', 'b\n'], ['a\n', 'b\n', 'c\n']]) {
    await settle();
    expect(written).toEqual(wanted);
    expect(isEnded()).toBe(false);
    taken.at(-1)?.();
  }
  await sent;
  expect(isEnded()).toBe(true);
});

test('a client that disconnects ends the list at the line that it has not taken', async () => {
  let hasReturned = false;
  const chunks = async function* () {
    try {
      for (;;) yield ['a', 'b'];
    } finally {
      hasReturned = true;
    }
  };
  const { written, gone, taken, sent } = start(chunks());
  await settle();
  taken[0]?.();
  await settle();
  taken[1]?.(new Error('the socket has closed'));
  gone.abort(new Error('gone'));
  await expect(sent).rejects.toThrow('gone');
  expect(written).toEqual(['a\n', 'b\n']);
  expect(hasReturned).toBe(true);
});

test('each line is a chunk of its own', async () => {
  const records = ['one', 'two', 'three'].map((name) => tokenRecord(name));
  await using env = await openServerEnv({
    async *listTokens() {
      yield records;
    },
  });
  await using connection = new RawConnection(env.port);
  connection.write(
    rawRequest(`GET ${BASE}/api/v1/tokens`, { Authorization: 'Bearer b', Connection: 'close' }),
  );
  await connection.closed;
  const [head, body] = connection.received.split('\r\n\r\n');
  expect(head).toContain('Transfer-Encoding: chunked');
  const lines = records.map(lineOf);
  const chunks = lines.flatMap((line) => [Buffer.byteLength(line).toString(16), line]);
  expect(body?.split('\r\n')).toEqual([...chunks, '0']);
});

test('a list of one line has its length', async () => {
  await using env = await openServerEnv();
  const answer = await fetch(`${env.url}/api/v1/tokens`, { headers: { authorization: 'Bearer b' } });
  const text = await answer.text();
  expect(text).toBe(lineOf(tokenRecord('one')));
  expect(answer.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
});
