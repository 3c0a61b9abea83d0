import {
  type Client,
  type ClientReadableStream,
  credentials,
  makeGenericClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterEach, expect, test } from '@jest/globals';
import { service } from 'grpc-health-check';
import { createHealth } from '../../../../operator/servers/grpc/health.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { rejectionOf } from '../../../support/grpc.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
const SERVICE = 'm2moauthserver.pb.M2MOAuthService';

interface HealthResponse {
  readonly status: string;
}
type Answered = (error: ServiceError | null, response: HealthResponse) => void;

/** The client that grpc-js makes of the package's definition. */
interface HealthClient extends Client {
  Check(request: { service: string }, callback: Answered): void;
  Watch(request: { service: string }): ClientReadableStream<HealthResponse>;
  List(
    request: object,
    callback: (error: ServiceError | null, response: { statuses: Record<string, HealthResponse> }) => void,
  ): void;
}

const HealthStub = makeGenericClientConstructor(service, 'Health') as unknown as new (
  address: string,
  security: ReturnType<typeof credentials.createInsecure>,
) => HealthClient;

const open: HealthClient[] = [];
afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

const healthClient = ({ port }: Pick<ServerEnv, 'port'>): HealthClient => {
  const client = new HealthStub(`127.0.0.1:${port}`, credentials.createInsecure());
  open.push(client);
  return client;
};

const check = (client: HealthClient, name: string): Promise<string> =>
  new Promise((resolve, reject) => {
    client.Check({ service: name }, (error, response) => (error ? reject(error) : resolve(response.status)));
  });

const watch = (client: HealthClient, name: string) => {
  const seen: string[] = [];
  const stream = client.Watch({ service: name });
  const end = { how: '' };
  stream.on('data', ({ status }: HealthResponse) => seen.push(status));
  stream.on('end', () => {
    end.how ||= 'ended';
  });
  stream.on('error', ({ message }) => {
    end.how = message;
  });
  return { seen, stream, end };
};

test.each(['', SERVICE])('the health of "%s" follows isServing', async (name) => {
  let serving = true;
  await using env = await openServerEnv({}, { isServing: () => serving });
  const client = healthClient(env);
  expect(await check(client, name)).toBe('SERVING');
  serving = false;
  expect(await check(client, name)).toBe('NOT_SERVING');
  serving = true;
  expect(await check(client, name)).toBe('SERVING');
});

test('calls are answered while the server is NOT_SERVING: each reports itself what it lacks', async () => {
  await using env = await openServerEnv({}, { isServing: () => false });
  expect(await env.client.createToken({})).toMatchObject({ accessToken: 'access-token' });
});

test('another service is unknown', async () => {
  await using env = await openServerEnv();
  const client = healthClient(env);
  expect(await rejectionOf(check(client, 'other'))).toEqual({
    code: 'NOT_FOUND',
    message: 'cannot tell health: no such service',
  });
  const { seen, stream } = watch(client, 'other');
  await eventually(() => expect(seen).toEqual(['SERVICE_UNKNOWN']));
  stream.cancel();
});

test('all services are listed', async () => {
  await using env = await openServerEnv();
  const client = healthClient(env);
  const listed = await new Promise((resolve, reject) => {
    client.List({}, (error, response) => (error ? reject(error) : resolve(response)));
  });
  expect(listed).toEqual({ statuses: { '': { status: 'SERVING' }, [SERVICE]: { status: 'SERVING' } } });
});

test('a watcher is notified of each change, and once', async () => {
  let serving = false;
  await using env = await openServerEnv({}, { isServing: () => serving });
  const { seen, stream } = watch(healthClient(env), SERVICE);
  await eventually(() => expect(seen).toEqual(['NOT_SERVING']));
  serving = true;
  await eventually(() => expect(seen).toEqual(['NOT_SERVING', 'SERVING']));
  stream.cancel();
  await eventually(() =>
    expect(env.metrics.calls).toEqual([['grpcCall', 'Watch', 'CANCELLED', expect.any(Number)]]),
  );
});

test('a watcher is notified first when the server closes, and its stream does not delay the end', async () => {
  await using env = await openServerEnv();
  const { seen, end } = watch(healthClient(env), '');
  await eventually(() => expect(seen).toEqual(['SERVING']));
  const before = performance.now();
  await env.grpc.stop(60_000);
  expect(performance.now() - before).toBeLessThan(10_000);
  await eventually(() => expect(end.how).toBe('ended'));
  expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
});

test('a server is NOT_SERVING before it is open and after it is closed, whatever isServing returns', () => {
  const clock = new FakeClock();
  const health = createHealth({ services: [''], isServing: () => true, clock });
  expect(health.statusOf('')).toBe('NOT_SERVING');
  health.open();
  expect(health.statusOf('')).toBe('SERVING');
  health.close();
  expect(health.statusOf('')).toBe('NOT_SERVING');
});

test('a watch that is given up leaves no timer', async () => {
  const clock = new FakeClock();
  const health = createHealth({ services: [''], isServing: () => true, clock });
  const cancelled = new AbortController();
  const watching = health.watch('', cancelled.signal);
  await watching.next();
  const next = watching.next();
  await settle();
  expect(clock.pending).toBe(1);
  cancelled.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(clock.pending).toBe(0);
});

test('one timer polls for all watchers, and all of them are notified', async () => {
  const clock = new FakeClock();
  let [serving, polls] = [true, 0];
  const isServing = (): boolean => {
    polls += 1;
    return serving;
  };
  const health = createHealth({ services: [''], isServing, clock });
  health.open();
  const { signal } = new AbortController();
  const watching = Array.from({ length: 100 }, () => health.watch('', signal));
  await Promise.all(watching.map((each) => each.next()));
  const next = watching.map((each) => each.next());
  await settle();
  expect(clock.pending).toBe(1);
  polls = 0;
  await clock.advance(1000);
  expect(polls).toBe(4);
  serving = false;
  await clock.advance(250);
  expect(await Promise.all(next)).toEqual(watching.map(() => ({ done: false, value: 'NOT_SERVING' })));
});

test('a change is not missed by a watcher whose client was still being sent the one before', async () => {
  const clock = new FakeClock();
  let serving = true;
  const health = createHealth({ services: [''], isServing: () => serving, clock });
  health.open();
  const { signal } = new AbortController();
  const [slow, other] = [health.watch('', signal), health.watch('', signal)];
  expect(await slow.next()).toEqual({ done: false, value: 'SERVING' });
  serving = false;
  expect(await other.next()).toEqual({ done: false, value: 'NOT_SERVING' });
  expect(await slow.next()).toEqual({ done: false, value: 'NOT_SERVING' });
});

test('watches beyond the limit of their address are RESOURCE_EXHAUSTED, and one that ends makes room', async () => {
  const metrics = recordedMetrics();
  const load = testLoadLimits({ perAddress: { healthWatches: 2 }, metrics });
  await using env = await openServerEnv({}, { load });
  const client = healthClient(env);
  const [first, second] = [watch(client, ''), watch(client, '')];
  await eventually(() => expect([first.seen, second.seen]).toEqual([['SERVING'], ['SERVING']]));
  const third = watch(client, '');
  await eventually(() =>
    expect(third.end.how).toBe('8 RESOURCE_EXHAUSTED: cannot tell health: too many watches are open'),
  );
  expect(await check(client, '')).toBe('SERVING');
  expect(metrics.calls).toEqual([['limited', 'grpc', 'healthWatches', 'refused']]);
  first.stream.cancel();
  await eventually(async () => {
    const again = watch(client, '');
    await eventually(() => again.seen.length > 0 || again.end.how !== '');
    expect(again.seen).toEqual(['SERVING']);
  });
  second.stream.cancel();
});
