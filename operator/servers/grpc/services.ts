import type { Server } from '@grpc/grpc-js';
import { service as healthDefinition } from 'grpc-health-check';
import type { Issuer } from '../../issuer/use-cases.ts';
import { answerStream } from './answer-stream.ts';
import { answerUnary } from './answer-unary.ts';
import { createTokenMethod } from './create-token.ts';
import { deleteTokensMethod } from './delete-tokens.ts';
import { M2MOAuthServiceService } from './generated/m2moauthserver/pb/service.ts';
import { getTokensMethod } from './get-tokens.ts';
import type { Health } from './health.ts';
import { healthImplementation } from './health-service.ts';
import type { GrpcCallDeps } from './open-call.ts';
import { addReflection } from './reflection.ts';
import { inBytes } from './wire.ts';

/** The use cases that the door opens to. */
export type GrpcIssuer = Pick<Issuer, 'createToken' | 'authenticateBearer' | 'listTokens' | 'deleteTokens'>;

/** Full names of the services whose health is told; '' is the server as a whole. */
export const HEALTH_NAMES = ['', 'm2moauthserver.pb.M2MOAuthService'];

/** Gives the server all that it serves. */
export const addServices = (
  server: Server,
  { issuer, health, tools }: { issuer: GrpcIssuer; health: Health; tools: GrpcCallDeps },
): void => {
  server.addService(inBytes(M2MOAuthServiceService), {
    createToken: answerUnary(createTokenMethod(issuer.createToken), tools),
    getTokens: answerStream(getTokensMethod(issuer, tools.log), tools),
    deleteTokens: answerUnary(deleteTokensMethod(issuer), tools),
  });
  server.addService(inBytes(healthDefinition), healthImplementation(health, tools));
  addReflection(server, tools);
};
