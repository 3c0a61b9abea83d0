import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import { createGrpcServer } from '../../../../operator/servers/grpc/server.ts';
import { eventually } from '../../../support/eventually.ts';
import { rejectionOf } from '../../../support/grpc.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { AT_ONCE, openServerEnv, PLAIN, tokenRecord } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
/** Start and stop of a server. */

/** A list of two tokens that waits between them. */
const haltingList = () => {
  let goOn = (): void => undefined;
  const halt = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const seen = { started: false, aborted: false };
  return {
    seen,
    goOn,
    async *listTokens(_bearer: unknown, _query: unknown, { signal }: { signal: AbortSignal }) {
      signal.addEventListener('abort', () => {
        seen.aborted = true;
        goOn();
      });
      yield [tokenRecord('one')];
      seen.started = true;
      await halt;
      yield [tokenRecord('two')];
    },
  };
};

test('the start is logged, with the port and how it is protected', async () => {
  await using env = await openServerEnv();
  expect(env.log.lines).toEqual([
    {
      level: 'info',
      message: 'gRPC listener started',
      fields: { host: '127.0.0.1', port: env.port, tls: 'plaintext' },
    },
  ]);
});

test('a running stream is served to its end, and new calls are rejected meanwhile', async () => {
  const list = haltingList();
  await using env = await openServerEnv({ listTokens: list.listTokens });
  const tokens = env.client.getTokens('Bearer b');
  await eventually(() => list.seen.started);
  let isStopped = false;
  const stopping = env.grpc.stop(60_000).then(() => {
    isStopped = true;
  });
  expect(await rejectionOf(env.client.createToken({}))).toMatchObject({ code: 'UNAVAILABLE' });
  expect(isStopped).toBe(false);
  list.goOn();
  expect((await tokens).map(({ id }) => id)).toEqual(['one', 'two']);
  await stopping;
});

test('what still runs at the deadline is cut off, and its use case aborted', async () => {
  const list = haltingList();
  await using env = await openServerEnv({ listTokens: list.listTokens });
  const tokens = rejectionOf(env.client.getTokens('Bearer b'));
  await eventually(() => list.seen.started);
  await env.grpc.stop(300);
  expect(await tokens).toMatchObject({ code: expect.stringMatching(/^(UNAVAILABLE|CANCELLED)$/u) });
  await eventually(() => list.seen.aborted);
});

test('an idle connection does not hold up the end', async () => {
  await using env = await openServerEnv();
  await env.client.createToken({});
  const before = performance.now();
  await env.grpc.stop(60_000);
  expect(performance.now() - before).toBeLessThan(10_000);
});

const plainServer = (port: number) =>
  createGrpcServer({
    address: { host: '127.0.0.1', port },
    tls: PLAIN,
    issuer: {} as never,
    turns: AT_ONCE,
    isServing: () => true,
    load: testLoadLimits(),
    clock: systemClock,
    log: recordedLog(),
    metrics: recordedMetrics(),
  });

test('a server that has not started can be stopped', async () => {
  await plainServer(0).stop(1000);
});

test('an address that is taken fails the start', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const grpc = plainServer(port);
  await expect(grpc.start(new AbortController().signal)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await grpc.stop(1000);
  other.close();
});

test('a start that is called off does not listen', async () => {
  const grpc = plainServer(0);
  await expect(grpc.start(AbortSignal.abort())).rejects.toThrow();
  await grpc.stop(1000);
});
