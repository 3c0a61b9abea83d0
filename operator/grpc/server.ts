import { Server, ServerCredentials } from '@grpc/grpc-js';
import { service as healthDefinition } from 'grpc-health-check';
import type { Issuer } from '../issuer/use-cases.ts';
import { answerStream } from './answer-stream.ts';
import { answerUnary } from './answer-unary.ts';
import { createTokenMethod } from './create-token.ts';
import { deleteTokensMethod } from './delete-tokens.ts';
import { M2MOAuthServiceService } from './generated/m2moauthserver/pb/service.ts';
import { getTokensMethod } from './get-tokens.ts';
import { createHealth } from './health.ts';
import { healthImplementation } from './health-service.ts';
import { SERVER_OPTIONS } from './limits.ts';
import { createListener } from './listener.ts';
import type { DoorTools } from './open-call.ts';
import { undecoded } from './wire.ts';

/** Certificate files, as the configuration names them (contract §6). */
export interface DoorTls {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly clientCertificateRequired: boolean;
}

export interface GrpcDoorOptions extends DoorTools {
  readonly address: { readonly host: string; readonly port: number };
  readonly tls: DoorTls;
  readonly issuer: Pick<Issuer, 'createToken' | 'authenticateBearer' | 'listTokens' | 'deleteTokens'>;
  /** Polled: whether calls can be answered now, for gRPC health. */
  readonly isServing: () => boolean;
}

/** The gRPC listener (contract §4). */
export interface GrpcDoor {
  /** Listens; resolves with the port that was taken. */
  start(signal: AbortSignal): Promise<number>;
  /** Turns NOT_SERVING, takes nothing new, and ends what still runs after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

const SERVICES = ['', 'm2moauthserver.pb.M2MOAuthService'];

/** Makes M2MOAuthService with health and reflection. Nothing listens before {@link GrpcDoor.start}. */
export const createGrpcDoor = (options: GrpcDoorOptions): GrpcDoor => {
  const { address, clock, issuer, isServing, log } = options;
  const health = createHealth({ services: SERVICES, isServing, clock });
  const server = new Server(SERVER_OPTIONS);
  server.addService(undecoded(M2MOAuthServiceService), {
    createToken: answerUnary(createTokenMethod(issuer.createToken), options),
    getTokens: answerStream(getTokensMethod(issuer), options),
    deleteTokens: answerUnary(deleteTokensMethod(issuer), options),
  });
  server.addService(undecoded(healthDefinition), healthImplementation(health, options));
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createListener((socket) => injector.injectConnection(socket));
  return {
    start: async () => {
      const port = await listener.listen(address);
      health.open();
      log.info('gRPC listener started', { host: address.host, port, tls: 'plaintext' });
      return port;
    },
    stop: async (deadlineMs) => {
      health.close();
      listener.close();
      const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      let cancel = (): void => undefined;
      const late = new Promise<void>((resolve) => {
        cancel = clock.after(deadlineMs, resolve);
      });
      await Promise.race([drained, late]);
      cancel();
      listener.destroyAll();
    },
  };
};
