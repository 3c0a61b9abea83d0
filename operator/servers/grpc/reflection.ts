import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  type handleBidiStreamingCall,
  type Server,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import type { Clock } from '../../ports/clock.ts';
import { type GrpcCallDeps, openCall } from './call.ts';
import { DESCRIPTORS } from './generated/descriptors.ts';
import { StatusFailure } from './status.ts';

type Package = ConstructorParameters<typeof ReflectionService>[0];
type PackageDefinition = Package[string];
type Handler = handleBidiStreamingCall<unknown, unknown>;

/** The files of a google.protobuf.FileDescriptorSet, which has one field. */
const filesOf = (set: Uint8Array): Buffer[] => {
  const reader = new BinaryReader(set);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    reader.uint32();
    files.push(Buffer.from(reader.bytes()));
  }
  return files;
};

/** The definitions and implementations that the package would add to a server. */
const partsOf = (service: ReflectionService): [ServiceDefinition, UntypedServiceImplementation][] => {
  const parts: [ServiceDefinition, UntypedServiceImplementation][] = [];
  service.addToServer({
    addService: (definition, implementation) => parts.push([definition, implementation]),
  });
  return parts;
};

/** The longest time without a request on a stream. */
const IDLE_MS = 60_000;

const METHOD = { name: 'ServerReflectionInfo', purpose: 'reflect', successLevel: 'debug' } as const;

type ReflectionCall = ServerDuplexStream<unknown, unknown>;

/** Ends a stream on which no request has come for too long; `onEnd` gets why. */
const endIdle = (call: ReflectionCall, clock: Clock, onEnd: (failure: StatusFailure) => void): void => {
  let cancel = (): void => undefined;
  const arm = (): void => {
    cancel();
    cancel = clock.after(IDLE_MS, () =>
      onEnd(new StatusFailure(status.DEADLINE_EXCEEDED, 'no request has arrived for a minute')),
    );
  };
  const disarm = (): void => cancel();
  call.on('data', arm).once('end', disarm).once('finish', disarm).once('cancelled', disarm);
  arm();
};

/**
 * Logs and counts a call and adds backpressure: the package would buffer its responses for a client that does not read, so
 * it gets no more requests meanwhile.
 */
const observed =
  (handler: Handler, deps: GrpcCallDeps): Handler =>
  (call) => {
    const open = openCall(call, METHOD, deps);
    const fail = (error: StatusFailure): void => {
      const failed = open.failureOf(error);
      open.ended(failed.code, error);
      call.emit('error', failed);
    };
    call.once('finish', () => open.ended(status.OK));
    call.once('cancelled', () => open.ended(status.CANCELLED));
    endIdle(call, deps.clock, fail);
    handler(call);
    call.on('data', () => {
      if (!call.writableNeedDrain) return;
      call.pause();
      call.once('drain', () => call.resume());
    });
  };

/** Adds grpc.reflection (v1 and v1alpha), which describes every service of this server, itself included. */
export const addReflection = (server: Server, deps: GrpcCallDeps): void => {
  const files = {
    fileDescriptorProtos: filesOf(Buffer.from(DESCRIPTORS, 'base64')),
  } as unknown as PackageDefinition;
  for (const [definition, { ServerReflectionInfo }] of partsOf(new ReflectionService({ files }))) {
    server.addService(definition, {
      ServerReflectionInfo: observed(ServerReflectionInfo as Handler, deps),
    });
  }
};
