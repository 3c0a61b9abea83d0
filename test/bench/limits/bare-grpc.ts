import { Token } from '../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { type GrpcClient, grpcClient } from '../../support/grpc.ts';
import type { StoredObject } from './api-server.ts';
import { startBareServer } from './bare-server.ts';

/** A bare grpc-js server in a separate process. */
export interface BareGrpc {
  readonly client: GrpcClient;
  readonly pid: number;
  stop(): void;
}

const connectBare = async (program: string, input?: unknown): Promise<BareGrpc> => {
  const { port, pid, stop } = await startBareServer(program, input);
  const client = grpcClient(port);
  return {
    client,
    pid,
    stop: () => {
      client.close();
      stop();
    },
  };
};

/** Starts one whose CreateToken signs and records nothing. */
export const startBareUnary = (): Promise<BareGrpc> => connectBare('bare-unary.ts');

/** Starts one whose CreateToken signs and creates a copy of an object. */
export const startBareRecording = (kubeconfigPath: string, sample: StoredObject): Promise<BareGrpc> =>
  connectBare('bare-unary.ts', { kubeconfigPath, sample });

/** Starts one that streams these messages to each caller of GetTokens. */
export const startBareStream = async (messages: readonly Token[]): Promise<BareGrpc> => {
  const encoded = messages.map((message) => Buffer.from(Token.encode(message).finish()).toString('base64'));
  return connectBare('bare-stream.ts', encoded);
};
