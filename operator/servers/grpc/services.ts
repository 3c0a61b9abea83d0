import type { Server } from '@grpc/grpc-js';
import { service as healthDefinition } from 'grpc-health-check';
import type { Issuer } from '../../issuer/use-cases.ts';
import { answerStream, answerUnary, type GrpcCallDeps } from './call.ts';
import { M2MOAuthServiceService } from './generated/m2moauthserver/pb/service.ts';
import type { Health } from './health.ts';
import { healthImplementation } from './health-service.ts';
import { createTokenMethod, deleteTokensMethod, getTokensMethod } from './m2m-oauth-service.ts';
import { addReflection } from './reflection.ts';
import { inBytes } from './wire.ts';

/** The use cases behind the gRPC methods. */
export type GrpcIssuer = Pick<Issuer, 'createToken' | 'authenticateBearer' | 'listTokens' | 'deleteTokens'>;

/** Full names of the services whose health is reported; '' is the server as a whole. */
export const HEALTH_NAMES = ['', 'm2moauthserver.pb.M2MOAuthService'];

/** Registers M2MOAuthService, health and reflection. */
export const addServices = (
  server: Server,
  { issuer, health, deps }: { issuer: GrpcIssuer; health: Health; deps: GrpcCallDeps },
): void => {
  server.addService(inBytes(M2MOAuthServiceService), {
    createToken: answerUnary(createTokenMethod(issuer), deps),
    getTokens: answerStream(getTokensMethod(issuer, deps.log), deps),
    deleteTokens: answerUnary(deleteTokensMethod(issuer), deps),
  });
  server.addService(inBytes(healthDefinition), healthImplementation(health, deps));
  addReflection(server, deps);
};
