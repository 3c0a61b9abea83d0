import { connectGrpc, type GrpcClient } from '../../support/grpc.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { IN_FLIGHT } from '../limits/api-server.ts';
import { AUDIENCE, type BenchEnv, CLIENT_SECRET } from './bench-env.ts';
import { type CallRound, timedCalls } from './latency.ts';

/** What the bench's client asks for. */
export const REQUEST = {
  grantType: 'client_credentials',
  clientId: 'bench',
  clientSecret: CLIENT_SECRET,
  audience: [AUDIENCE],
  scope: ['read'],
};

/** A token over gRPC. */
export const createToken = async (grpc: GrpcClient): Promise<string> =>
  (await grpc.createToken(REQUEST)).accessToken;

/** CreateToken by one client over one connection. */
export const operatorCreates = (grpc: GrpcClient, count: number): Promise<CallRound> =>
  timedCalls({ count, inFlight: IN_FLIGHT }, () => createToken(grpc));

/** Some calls go on for as long as 10,000 writes take. */
const PATIENCE_MS = 300_000;

/** One replica, ready, and a connection to its gRPC server. */
export const startServer = async (
  env: BenchEnv,
): Promise<{ operator: OperatorProcess; grpc: GrpcClient }> => {
  const operator = await env.operator();
  await operator.ready();
  return { operator, grpc: await connectGrpc(operator, PATIENCE_MS) };
};
