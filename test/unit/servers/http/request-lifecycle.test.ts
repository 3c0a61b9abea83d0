import { expect, jest, test } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import { RequestLifecycle } from '../../../../operator/servers/http/request-lifecycle.ts';
import { rpcErrors } from '../../../../operator/servers/http/rpc-errors.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';

const MATCH = { name: 'unknown', route: undefined, allow: undefined, errors: rpcErrors };

const exchangeOf = (response: object): RequestLifecycle => {
  const request = { ip: '192.0.2.1', socket: {}, method: 'GET' } as unknown as FastifyRequest;
  return new RequestLifecycle(request, { raw: response } as unknown as FastifyReply, {
    match: MATCH,
    startedAt: systemClock.monotonic(),
  });
};

const depsOf = () => ({ clock: systemClock, log: recordedLog(), metrics: recordedMetrics() });

test('what its caller waits for no more is not begun', () => {
  const [work, deps] = [jest.fn<() => void>(), depsOf()];
  const exchange = exchangeOf({ writableFinished: false });
  exchange.finish(deps);
  exchange.run(work, () => undefined);
  expect(work).not.toHaveBeenCalled();
  expect(deps.log.lines.map(({ fields }) => fields.code)).toEqual([499]);
});

test('a signal that is asked for late is aborted when the caller has disconnected', () => {
  const exchange = exchangeOf({ writableFinished: false });
  exchange.finish(depsOf());
  expect(exchange.call.signal.aborted).toBe(true);
});

test('work that goes on for a caller who has disconnected ends before the line is written', async () => {
  const deps = depsOf();
  const exchange = exchangeOf({ writableFinished: false });
  let finish = (): void => undefined;
  exchange.run(
    () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
    () => undefined,
  );
  const { signal } = exchange.call;
  exchange.finish(deps);
  expect(signal.aborted).toBe(true);
  expect(deps.log.lines).toEqual([]);
  exchange.call.note({ jti: 'made' });
  finish();
  await new Promise((resolve) => setImmediate(resolve));
  expect(deps.log.lines.map(({ fields }) => fields.jti)).toEqual(['made']);
});
