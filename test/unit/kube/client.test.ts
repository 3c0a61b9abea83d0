import { describe, expect, test } from '@jest/globals';
import { createKubeClient, type KubeRequest } from '../../../operator/kube/client.ts';
import type { Connection } from '../../../operator/kube/connection.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';

interface Answer {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
}

const write: KubeRequest = { verb: 'update', path: '/api/v1/namespaces/n/secrets/s', body: {} };

/** A client over a connection that gives the answers one after the other. */
const setUp = (...answers: readonly Answer[]) => {
  const clock = new FakeClock();
  const sent: string[] = [];
  const connection: Pick<Connection, 'request' | 'distrust'> = {
    request: async ({ method }) => {
      const { statusCode, headers = {}, text = '{}' } = answers[sent.length] ?? { statusCode: 500 };
      sent.push(method);
      return { statusCode, headers, text, bytes: Buffer.byteLength(text) };
    },
    distrust: () => undefined,
  };
  const client = createKubeClient({
    connection: connection as Connection,
    clock,
    log: recordedLog(),
    metrics: recordedMetrics(),
  });
  return { clock, client, sent };
};

const failureOf = async (call: Promise<unknown>): Promise<ApiError> => {
  const error = await call.catch((failure: unknown) => failure);
  if (error instanceof ApiError) return error;
  throw new Error('the call did not fail with an ApiError', { cause: error });
};

describe('a gated client', () => {
  test.each<[string, Answer]>([
    ['the API server asked to come again', { statusCode: 429, headers: { 'retry-after': '1' } }],
    ['the credentials were rejected', { statusCode: 401 }],
  ])('does not send a write again, once the lease is lost, because %s', async (_name, failure) => {
    const { clock, client, sent } = setUp(failure, { statusCode: 200 });
    let looks = 0;
    const call = failureOf(client.gated(() => looks++ === 0).request(write));
    await clock.advance(1_000);
    expect(await call).toMatchObject({ status: 0, reason: 'NotLeader' });
    expect(sent).toEqual(['PUT']);
  });

  test('sends a write again while it leads, and a read whether it leads or not', async () => {
    const busy = { statusCode: 429, headers: { 'retry-after': '1' } };
    for (const [request, leads] of [
      [write, true],
      [{ verb: 'get', path: '/api' } as const, false],
    ] as const) {
      const { clock, client, sent } = setUp(busy, { statusCode: 200 });
      const call = client.gated(() => leads).request(request);
      await clock.advance(1_000);
      await call;
      expect(sent).toHaveLength(2);
    }
  });

  test('gated again, asks both', async () => {
    const { client, sent } = setUp();
    const twice = client.gated(() => false).gated(() => true);
    expect(await failureOf(twice.request(write))).toMatchObject({ reason: 'NotLeader' });
    await settle();
    expect(sent).toEqual([]);
  });
});

test('a response that is not JSON is reported by its status alone, without its content', async () => {
  const { client } = setUp({ statusCode: 200, text: 'hunter2' });
  const failure = await failureOf(client.request(write));
  expect(failure).toMatchObject({ status: 200, reason: 'NotJSON' });
  expect(failure.cause).toBeUndefined();
  expect(failure.message).toBe('update /api/v1/namespaces/n/secrets/s: 200 NotJSON');
});

test('a caller learns the length of an answer in bytes', async () => {
  const text = JSON.stringify({ name: '大きさ' });
  const { client } = setUp({ statusCode: 200, text });
  const lengths: number[] = [];
  await client.request({ verb: 'get', path: '/api', onBytes: (bytes) => lengths.push(bytes) });
  expect(lengths).toEqual([text.length + 6]);
});
