import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { ErrorInfo, RetryInfo } from '../../operator/servers/grpc/generated/google/rpc/error_details.ts';
import { Status } from '../../operator/servers/grpc/generated/google/rpc/status.ts';
import {
  CreateTokenRequest,
  type CreateTokenResponse,
  type DeleteTokensResponse,
  M2MOAuthServiceClient,
  type Token,
} from '../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { eventually } from './eventually.ts';
import type { OperatorProcess } from './operator-process.ts';

/** Which tokens GetTokens is asked for. */
interface TokensQuery {
  readonly idFilter?: readonly string[];
  readonly includeBlacklisted?: boolean;
}

/** The three calls over one connection; each rejects with grpc-js's ServiceError. */
export interface GrpcClient {
  createToken(request: Partial<CreateTokenRequest>): Promise<CreateTokenResponse>;
  /** `authorization` is the whole value of the metadata; undefined sends none. */
  getTokens(authorization: string | undefined, query?: TokensQuery): Promise<Token[]>;
  /** How many messages GetTokens of all tokens gives; none of them is kept. `onFirst` is called when the first is there. */
  countTokens(authorization: string, onFirst?: () => void): Promise<number>;
  deleteTokens(authorization: string | undefined, ids: readonly string[]): Promise<DeleteTokensResponse>;
  close(): void;
}

/** How a call was rejected. */
export interface Rejection {
  /** The status code by name. */
  readonly code: string;
  readonly message: string;
  /** `reason` of the google.rpc.ErrorInfo; absent where there is none. */
  readonly reason?: string;
  /** Seconds of the google.rpc.RetryInfo; absent where there is none. */
  readonly retryAfterSeconds?: number;
}

const metadataOf = (authorization: string | undefined): Metadata => {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  return metadata;
};

const PATIENCE_MS = 60_000;

/** Connects to a port on loopback without TLS; a call has `patienceMs` to end. */
export const grpcClient = (port: number, patienceMs = PATIENCE_MS): GrpcClient => {
  const options = () => ({ deadline: Date.now() + patienceMs });
  const client = new M2MOAuthServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  return {
    createToken: (request) =>
      new Promise((resolve, reject) => {
        const message = CreateTokenRequest.fromPartial(request);
        client.createToken(message, new Metadata(), options(), (error, response) =>
          error ? reject(error) : resolve(response),
        );
      }),
    getTokens: async (authorization, { idFilter = [], includeBlacklisted = false } = {}) => {
      const request = { idFilter: [...idFilter], includeBlacklisted };
      const tokens: Token[] = [];
      for await (const token of client.getTokens(request, metadataOf(authorization), options())) {
        tokens.push(token);
      }
      return tokens;
    },
    countTokens: async (authorization, onFirst) => {
      let count = 0;
      const stream = client.getTokens(
        { idFilter: [], includeBlacklisted: false },
        metadataOf(authorization),
        options(),
      );
      for await (const _ of stream) {
        if (count === 0) onFirst?.();
        count += 1;
      }
      return count;
    },
    deleteTokens: (authorization, ids) =>
      new Promise((resolve, reject) => {
        const request = { idFilter: [...ids] };
        client.deleteTokens(request, metadataOf(authorization), options(), (error, response) =>
          error ? reject(error) : resolve(response),
        );
      }),
    close: () => client.close(),
  };
};

/** Connects to the gRPC server of an operator that listens on loopback without TLS, once it does. */
export const connectGrpc = async (
  operator: OperatorProcess,
  patienceMs = PATIENCE_MS,
): Promise<GrpcClient> => {
  const port = await eventually(
    () => {
      const line = operator.log.find(({ message }) => message === 'gRPC listener started');
      if (!line) throw new Error('the gRPC listener has not started');
      return Number(line.port);
    },
    { timeoutMs: 60_000 },
  );
  return grpcClient(port, patienceMs);
};

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;

/** What `grpc-status-details-bin` says. */
const detailsOf = (error: ServiceError): Pick<Rejection, 'reason' | 'retryAfterSeconds'> => {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (!(bytes instanceof Buffer)) return {};
  const { details } = Status.decode(bytes);
  const bytesOf = (type: string) =>
    details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${type}`)?.value;
  const info = bytesOf('ErrorInfo');
  const retry = bytesOf('RetryInfo');
  return {
    ...(info && { reason: ErrorInfo.decode(info).reason }),
    ...(retry && { retryAfterSeconds: Number(RetryInfo.decode(retry).retryDelay?.seconds) }),
  };
};

/** How a call was rejected. @throws Error where it was not, or where it failed otherwise than by a status */
export const rejectionOf = async (call: Promise<unknown>): Promise<Rejection> => {
  let error: unknown;
  try {
    await call;
  } catch (caught) {
    error = caught;
  }
  if (error === undefined) throw new Error('the call was not rejected');
  if (!isServiceError(error)) throw error;
  return {
    code: status[error.code] ?? String(error.code),
    message: error.details,
    ...detailsOf(error),
  };
};
