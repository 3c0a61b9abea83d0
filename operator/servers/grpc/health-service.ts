import { status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { service as definition } from 'grpc-health-check';
import { answerStream, answerUnary, type GrpcCallDeps, type StreamMethod, type UnaryMethod } from './call.ts';
import type { Health, ServingStatus } from './health.ts';
import { StatusFailure } from './status.ts';
import { orMalformed } from './wire.ts';

interface HealthRequest {
  readonly service: string;
}

interface HealthResponse {
  readonly status: ServingStatus;
}

interface HealthListResponse {
  readonly statuses: Readonly<Record<string, HealthResponse>>;
}

const shape = (name: 'Check' | 'Watch' | 'List') => ({
  name,
  purpose: 'tell health',
  successLevel: 'debug' as const,
  read: (bytes: Uint8Array): HealthRequest =>
    orMalformed(() => definition[name]?.requestDeserialize(Buffer.from(bytes)) as HealthRequest),
  write: (response: object): Buffer => definition[name]?.responseSerialize(response) ?? Buffer.alloc(0),
});

const checkMethod = (health: Health): UnaryMethod<HealthRequest, HealthResponse> => ({
  ...shape('Check'),
  run: async ({ service }) => {
    const serving = health.statusOf(service);
    if (serving === 'SERVICE_UNKNOWN') throw new StatusFailure(status.NOT_FOUND, 'no such service');
    return { status: serving };
  },
});

/** `stream-gate.ts` limits their number. */
const watchMethod = (health: Health): StreamMethod<HealthRequest, HealthResponse> => ({
  ...shape('Watch'),
  async *run({ service }, { signal }) {
    for await (const serving of health.watch(service, signal)) yield [{ status: serving }];
  },
});

const listMethod = (health: Health): UnaryMethod<unknown, HealthListResponse> => ({
  ...shape('List'),
  run: async () => ({
    statuses: Object.fromEntries(
      health.services.map((service) => [service, { status: health.statusOf(service) }]),
    ),
  }),
});

/**
 * grpc.health.v1.Health over the definition of grpc-health-check. That package's own implementation keeps every name that was ever
 * watched, and its Watch streams would block a drain.
 */
export const healthImplementation = (health: Health, deps: GrpcCallDeps): UntypedServiceImplementation => ({
  Check: answerUnary(checkMethod(health), deps),
  Watch: answerStream(watchMethod(health), deps),
  List: answerUnary(listMethod(health), deps),
});
