import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  type handleBidiStreamingCall,
  type Server,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { DESCRIPTORS } from './generated/descriptors.ts';
import { type GrpcCallDeps, openCall } from './open-call.ts';

type Package = ConstructorParameters<typeof ReflectionService>[0];
type Described = Package[string];
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

/** Runs the package's service against something that takes its parts. */
const partsOf = (service: ReflectionService): [ServiceDefinition, UntypedServiceImplementation][] => {
  const parts: [ServiceDefinition, UntypedServiceImplementation][] = [];
  service.addToServer({
    addService: (definition, implementation) => parts.push([definition, implementation]),
  });
  return parts;
};

/** The package's answers pile up where nobody reads them: it gets no more questions meanwhile. */
const answered =
  (handler: Handler, tools: GrpcCallDeps): Handler =>
  (call) => {
    const method = { name: 'ServerReflectionInfo', purpose: 'reflect', successLevel: 'debug' } as const;
    const open = openCall(call, method, tools);
    call.once('finish', () => open.ended(status.OK));
    call.once('cancelled', () => open.ended(status.CANCELLED));
    handler(call);
    call.on('data', () => {
      if (!call.writableNeedDrain) return;
      call.pause();
      call.once('drain', () => call.resume());
    });
  };

/** Describes all services of the door, itself among them (grpc.reflection, v1 and v1alpha). */
export const addReflection = (server: Server, tools: GrpcCallDeps): void => {
  const files = { fileDescriptorProtos: filesOf(Buffer.from(DESCRIPTORS, 'base64')) } as unknown as Described;
  for (const [definition, { ServerReflectionInfo }] of partsOf(new ReflectionService({ files }))) {
    server.addService(definition, {
      ServerReflectionInfo: answered(ServerReflectionInfo as Handler, tools),
    });
  }
};
