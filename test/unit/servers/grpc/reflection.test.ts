import { once } from 'node:events';
import {
  type Client,
  type ClientDuplexStream,
  credentials,
  makeGenericClientConstructor,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { expect, test } from '@jest/globals';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { frame, rawCall } from './raw-call.ts';
import { openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
const PATH = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

/** A request for the files of the service. */
const QUESTION = (() => {
  const symbol = Buffer.from('m2moauthserver.pb.M2MOAuthService');
  return frame(Buffer.concat([Buffer.from([0x22, symbol.byteLength]), symbol]));
})();

interface Answer {
  readonly listServicesResponse?: { readonly service: { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: number[][] };
  readonly errorResponse?: { readonly errorCode: number };
}

interface ReflectionClient extends Client {
  ServerReflectionInfo(): ClientDuplexStream<object, Answer>;
}

/** The package's own definitions, v1 and v1alpha. */
const definitions: ServiceDefinition[] = [];
new ReflectionService({}).addToServer({ addService: (definition) => definitions.push(definition) });

const ask = async ({ port }: ServerEnv, definition: ServiceDefinition, request: object): Promise<Answer> => {
  const Stub = makeGenericClientConstructor(definition, 'Reflection');
  const client = new Stub(`127.0.0.1:${port}`, credentials.createInsecure()) as unknown as ReflectionClient;
  try {
    const stream = client.ServerReflectionInfo();
    stream.end(request);
    const [answer] = await once(stream, 'data');
    await once(stream.resume(), 'end');
    return answer;
  } finally {
    client.close();
  }
};

const versions: [string, ServiceDefinition][] = definitions.map((definition) => [
  Object.values(definition)[0]?.path ?? '',
  definition,
]);

test('both versions are there', () => {
  expect(versions.map(([path]) => path)).toEqual([
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
  ]);
});

test.each(versions)('%s lists all services', async (_path, definition) => {
  await using env = await openServerEnv();
  const answer = await ask(env, definition, { listServices: '*' });
  expect(answer.listServicesResponse?.service.map(({ name }) => name).toSorted()).toEqual([
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
    'm2moauthserver.pb.M2MOAuthService',
  ]);
  expect(env.metrics.calls).toEqual([['grpcCall', 'ServerReflectionInfo', 'OK', expect.any(Number)]]);
});

test.each(versions)(
  '%s gives the files of a service with all that they import',
  async (_path, definition) => {
    await using env = await openServerEnv();
    const symbol = 'm2moauthserver.pb.M2MOAuthService';
    const answer = await ask(env, definition, { fileContainingSymbol: symbol });
    const files = answer.fileDescriptorResponse?.fileDescriptorProto.map((bytes) => Buffer.from(bytes));
    expect(files).toHaveLength(2);
    expect(files?.[0]?.includes('DeleteTokens')).toBe(true);
    expect(files?.[1]?.includes('google/protobuf/struct.proto')).toBe(true);
  },
);

test('what is not there is not found', async () => {
  await using env = await openServerEnv();
  const [, definition] = versions[0] ?? [];
  if (!definition) throw new Error('no definition');
  const answer = await ask(env, definition, { fileContainingSymbol: 'no.Such' });
  expect(answer.errorResponse?.errorCode).toBe(5);
});

test('who asks and does not read is asked to wait', async () => {
  await using env = await openServerEnv();
  await using call = rawCall(env.port, PATH);
  const questions = 20_000;
  for (let at = 0; at < questions; at += 1) call.stream.write(QUESTION);
  let before = -1;
  await eventually(
    () => {
      const isStill = call.stream.writableLength === before;
      before = call.stream.writableLength;
      return isStill;
    },
    { intervalMs: 200 },
  );
  expect(before).toBeGreaterThan((questions * QUESTION.byteLength) / 2);
});

test('streams beyond 32 of an address are RESOURCE_EXHAUSTED, and one that ends makes room', async () => {
  const metrics = recordedMetrics();
  await using env = await openServerEnv({}, { load: testLoadLimits({ metrics }) });
  await using calls = new AsyncDisposableStack();
  const open = async () => {
    const call = calls.use(rawCall(env.port, PATH));
    call.stream.write(QUESTION);
    await once(call.stream.resume(), 'response');
    return call;
  };
  const [first] = await Promise.all(Array.from({ length: 32 }, open));
  const beyond = await calls.use(rawCall(env.port, PATH)).ended;
  expect(beyond).toEqual({
    code: 'RESOURCE_EXHAUSTED',
    message: 'cannot reflect: too many streams are open',
  });
  expect(metrics.calls).toEqual([['limited', 'grpc', 'reflections', 'refused']]);
  first?.stream.close();
  const [, definition] = versions[0] ?? [];
  if (!definition) throw new Error('no definition');
  await eventually(async () => expect(await ask(env, definition, { listServices: '*' })).toBeDefined());
});

test('a stream without a request for a minute ends', async () => {
  const clock = new FakeClock();
  await using env = await openServerEnv({}, { clock });
  await using call = rawCall(env.port, PATH);
  await eventually(() => clock.pending > 0);
  await clock.advance(59_000);
  call.stream.resume();
  call.stream.write(QUESTION);
  await once(call.stream, 'data');
  await clock.advance(59_000);
  expect(call.stream.closed).toBe(false);
  await clock.advance(1000);
  expect(await call.ended).toEqual({
    code: 'DEADLINE_EXCEEDED',
    message: 'cannot reflect: no request has arrived for a minute',
  });
});
