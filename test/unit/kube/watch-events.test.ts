import { expect, test } from '@jest/globals';
import { readWatchEvents } from '../../../operator/kube/watch-events.ts';

const call = { verb: 'watch', path: '/api/v1/namespaces/n/secrets' };
const { signal } = new AbortController();

async function* bytesOf(...events: unknown[]) {
  for (const event of events)
    yield Buffer.from(`${typeof event === 'string' ? event : JSON.stringify(event)}\n`);
}

const read = async (body: AsyncIterable<Uint8Array>) => {
  const events = [];
  for await (const batch of readWatchEvents(body, {
    call,
    signal,
    decode: ({ metadata }) => metadata.name,
  })) {
    events.push(...batch);
  }
  return events;
};

const object = { metadata: { name: 'a', resourceVersion: '7' } };

test('events are decoded, bookmarks say whether they end the initial events', async () => {
  const end = { metadata: { resourceVersion: '9', annotations: { 'k8s.io/initial-events-end': 'true' } } };
  const plain = { metadata: { resourceVersion: '10' } };
  const events = await read(
    bytesOf(
      { type: 'ADDED', object },
      { type: 'BOOKMARK', object: end },
      { type: 'BOOKMARK', object: plain },
    ),
  );
  expect(events).toEqual([
    { type: 'ADDED', object: 'a', resourceVersion: '7' },
    { type: 'BOOKMARK', resourceVersion: '9', initialEventsEnd: true },
    { type: 'BOOKMARK', resourceVersion: '10', initialEventsEnd: false },
  ]);
});

test('an ERROR event is thrown with its status', async () => {
  const expired = { kind: 'Status', metadata: {}, code: 410, reason: 'Expired', message: 'too old' };
  await expect(read(bytesOf({ type: 'ERROR', object: expired }))).rejects.toMatchObject({
    name: 'ApiError',
    status: 410,
    reason: 'Expired',
  });
});

test.each(['{"type":"ADDED","object":{"metadata"', '[]', 'null', '{"type":"WHAT","object":{"metadata":{}}}'])(
  'what is no event ends the watch with an ApiError that does not quote it: %s',
  async (line) => {
    const failure = await read(bytesOf(line)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'ApiError' });
    expect((failure as Error).message).not.toContain(line);
  },
);

test('an event of more than 16 MiB is left out, and those after it come', async () => {
  const large = {
    type: 'MODIFIED',
    object: { metadata: { ...object.metadata, annotations: { a: 'x'.repeat(17 * 1024 * 1024) } } },
  };
  const events = await read(bytesOf({ type: 'ADDED', object }, large, { type: 'ADDED', object }));
  expect(events.map(({ type }) => type)).toEqual(['ADDED', 'TOO_LARGE', 'ADDED']);
});

test('a burst leaves the event loop its turns', async () => {
  const events = Array.from({ length: 20_000 }, () => ({ type: 'ADDED', object }));
  const burst = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  let turns = 0;
  const count = (): void => {
    turns += 1;
    turn = setImmediate(count);
  };
  let turn = setImmediate(count);
  expect(
    await read(
      (async function* () {
        yield burst;
      })(),
    ),
  ).toHaveLength(20_000);
  clearImmediate(turn);
  // How many there are depends on how fast the machine is.
  expect(turns).toBeGreaterThan(2);
});
