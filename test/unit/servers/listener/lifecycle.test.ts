import { expect, test } from '@jest/globals';
import { createLifecycle, type ServerHandle } from '../../../../operator/servers/listener/lifecycle.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';

const PLAIN = { certFile: '', keyFile: '', caFile: '', clientCertificateRequired: false };

const buildEnv = (closed: Promise<void>) => {
  const clock = new FakeClock();
  const log = recordedLog();
  const calls: string[] = [];
  const handle: ServerHandle = {
    listener: {
      listen: async () => 4321,
      close: () => {
        calls.push('close');
        return closed;
      },
      cut: () => void calls.push('cut'),
    },
    drain: () => void calls.push('drain'),
    release: async () => void calls.push('release'),
  };
  const address = { host: '127.0.0.1', port: 0 };
  const lifecycle = createLifecycle({ name: 'gRPC', address, tls: PLAIN, clock, log }, () => handle);
  return { clock, log, calls, lifecycle };
};

const { signal } = new AbortController();

test('a start logs where it listens, and how it is protected', async () => {
  const { lifecycle, log } = buildEnv(Promise.resolve());
  expect(await lifecycle.start(signal)).toBe(4321);
  expect(log.lines).toMatchObject([
    { message: 'gRPC listener started', fields: { host: '127.0.0.1', port: 4321, tls: 'plaintext' } },
  ]);
});

test('a stop accepts nothing new, drains, cuts and releases, in that order', async () => {
  const { lifecycle, calls, clock } = buildEnv(Promise.resolve());
  await lifecycle.start(signal);
  await lifecycle.stop(10_000);
  expect(calls).toEqual(['close', 'drain', 'cut', 'release']);
  expect(clock.pending).toBe(0);
});

test('connections that do not end are cut shortly before the deadline', async () => {
  const { lifecycle, calls, clock } = buildEnv(new Promise(() => undefined));
  await lifecycle.start(signal);
  const stopped = lifecycle.stop(10_000);
  await clock.advance(9_749);
  expect(calls).toEqual(['close', 'drain']);
  await clock.advance(1);
  await settle();
  expect(calls).toEqual(['close', 'drain', 'cut', 'release']);
  await stopped;
});

test('what has never started is stopped without a call', async () => {
  const { lifecycle, calls } = buildEnv(Promise.resolve());
  await lifecycle.stop(10_000);
  const aborted = AbortSignal.abort(new Error('called off'));
  await expect(lifecycle.start(aborted)).rejects.toThrow('called off');
  await lifecycle.stop(10_000);
  expect(calls).toEqual([]);
});
