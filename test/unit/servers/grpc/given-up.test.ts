import { constants } from 'node:http2';
import { expect, test } from '@jest/globals';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import type { GrpcIssuer } from '../../../../operator/servers/grpc/services.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { CHUNK, CHUNK_BYTES, endlessList, lineOf, settledChunks, startUnreadList } from './lists.ts';
import { frame, pathOf, rawCall } from './raw-call.ts';
import { openServerEnv } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
/** Callers that neither go nor go on, and are given up. */

/** Real time, and timers that the test moves. */
const stageWithTimers = async (issuer: Partial<GrpcIssuer>) => {
  const timers = new FakeClock();
  const clock = { ...systemClock, after: timers.after.bind(timers) };
  return { timers, env: await openServerEnv(issuer, { clock }) };
};

test('a reader that takes nothing for half a minute loses its stream', async () => {
  const { seen, listTokens } = endlessList();
  const { timers, env } = await stageWithTimers({ listTokens });
  await using _ = env;
  await using call = startUnreadList(env);
  await settledChunks(seen);
  await timers.advance(30_000);
  expect(seen.aborted).toBe(false);
  await timers.advance(30_000);
  await eventually(() => seen.ended && seen.aborted);
  call.stream.resume();
  expect(await call.ended).toEqual({ reset: constants.NGHTTP2_CANCEL });
});

test('a reader that leaves the end of a list alone loses its stream as well', async () => {
  const { timers, env } = await stageWithTimers({
    async *listTokens() {
      // More than the reader's window, and less than is written ahead of it.
      for (let sent = 0; sent < 40 * 1024; sent += CHUNK_BYTES) yield CHUNK;
    },
  });
  await using _ = env;
  await using call = startUnreadList(env, { initialWindowSize: 1024 });
  await eventually(() => lineOf(env) !== undefined);
  await timers.advance(60_000);
  await eventually(() => call.stream.rstCode !== 0);
  call.stream.resume();
  expect(await call.ended).toEqual({ reset: constants.NGHTTP2_CANCEL });
});

test('a reader that is slow keeps its stream', async () => {
  const { seen, listTokens } = endlessList();
  const { timers, env } = await stageWithTimers({ listTokens });
  await using _ = env;
  await using call = startUnreadList(env);
  call.stream.on('data', () => undefined);
  for (let round = 0; round < 5; round += 1) {
    call.stream.pause();
    const before = await settledChunks(seen);
    await timers.advance(30_000);
    call.stream.resume();
    await eventually(() => seen.chunks > before + 20);
  }
  expect(seen.aborted).toBe(false);
});

test('a request that does not arrive is given up', async () => {
  const { timers, env } = await stageWithTimers({});
  await using _ = env;
  await using half = rawCall(env.port, pathOf('CreateToken'));
  half.stream.write(frame(new Uint8Array(100)).subarray(0, 50));
  await eventually(() => timers.pending > 0);
  await timers.advance(21_000);
  expect(await half.ended).toEqual({
    code: 'DEADLINE_EXCEEDED',
    message: 'the request did not arrive in time',
  });
});

test('nothing waits for calls that are over', async () => {
  const { timers, env } = await stageWithTimers({});
  await using _ = env;
  await env.client.createToken({});
  await env.client.getTokens('Bearer b');
  await eventually(() => timers.pending === 0);
});
