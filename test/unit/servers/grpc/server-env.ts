import type { FairTurns } from '../../../../operator/async/fair-turns.ts';
import type { CurrentRecord } from '../../../../operator/domain/record/token-record.ts';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import { createGrpcServer, type GrpcServerOptions } from '../../../../operator/servers/grpc/server.ts';
import type { GrpcIssuer } from '../../../../operator/servers/grpc/services.ts';
import type { Lifecycle } from '../../../../operator/servers/listener/lifecycle.ts';
import { type GrpcClient, grpcClient } from '../../../support/grpc.ts';
import {
  type RecordedLog,
  type RecordedMetrics,
  recordedLog,
  recordedMetrics,
} from '../../../support/quiet.ts';

import { testLoadLimits } from '../listener/test-load-limits.ts';

/** A server over use cases that the test replaces, on a real socket. */
export interface ServerEnv extends AsyncDisposable {
  readonly grpc: Lifecycle;
  readonly port: number;
  readonly client: GrpcClient;
  readonly log: RecordedLog;
  readonly metrics: RecordedMetrics;
}

/** A token as a cache holds it. */
export const tokenRecord = (id: string, more: Partial<CurrentRecord> = {}): CurrentRecord => ({
  id,
  origin: { kind: 'IssuedToken', namespace: 'ns', name: id, uid: 'uid' },
  state: 'Current',
  version: 1,
  name: 'name',
  owner: 'owner',
  subject: 'subject',
  clientID: 'client-id',
  client: 'ns/client',
  clientUID: 'client-uid',
  keyID: 'kid',
  audience: ['audience'],
  scope: ['read', 'write'],
  issuedAt: 1_700_000_000,
  expiration: 1_700_003_600,
  originalTokenClaims: undefined,
  blacklistedAt: undefined,
  ...more,
});

/** What each use case does unless the test says otherwise. */
const ISSUER: GrpcIssuer = {
  createToken: async () => ({
    id: 'jti',
    clientID: 'client-id',
    accessToken: 'access-token',
    expiresInSeconds: 3600,
    scope: ['read'],
  }),
  authenticateBearer: async () => ({ owner: 'owner', onlyID: undefined, client: 'ns/client' }),
  async *listTokens() {
    yield [tokenRecord('one')];
  },
  deleteTokens: async () => ({ blacklisted: 1, deleted: 2 }),
};

/** Turns that always come at once. */
export const AT_ONCE: Pick<FairTurns, 'run'> = { run: (_keyOf, work) => work() };

export const PLAIN = { certFile: '', keyFile: '', caFile: '', clientCertificateRequired: false };

/** Opens a server on a free port of loopback. */
export const openServerEnv = async (
  issuer: Partial<GrpcIssuer> = {},
  more: Partial<GrpcServerOptions> = {},
): Promise<ServerEnv> => {
  const [log, metrics] = [recordedLog(), recordedMetrics()];
  const grpc = createGrpcServer({
    address: { host: '127.0.0.1', port: 0 },
    tls: PLAIN,
    issuer: { ...ISSUER, ...issuer },
    turns: AT_ONCE,
    isServing: () => true,
    load: testLoadLimits({ log, metrics }),
    clock: systemClock,
    log,
    metrics,
    ...more,
  });
  const port = await grpc.start(new AbortController().signal);
  const client = grpcClient(port);
  return {
    grpc,
    port,
    client,
    log,
    metrics,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await grpc.stop(0);
    },
  };
};
