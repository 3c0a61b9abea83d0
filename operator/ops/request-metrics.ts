import { Counter, Histogram, type Registry } from 'prom-client';
import { FAST } from './buckets.ts';

/** Metrics of calls, issued tokens and validations. */
export const requestMetrics = (registers: Registry[]) => ({
  calls: new Counter({
    name: 'm2moauth_grpc_calls_total',
    help: 'gRPC calls by method and status code.',
    labelNames: ['method', 'code'],
    registers,
  }),
  callSeconds: new Histogram({
    name: 'm2moauth_grpc_call_seconds',
    help: 'Duration of a gRPC call, streams to their end.',
    labelNames: ['method'],
    buckets: FAST,
    registers,
  }),
  requests: new Counter({
    name: 'm2moauth_http_requests_total',
    help: 'HTTP requests by route (a pattern), method and status.',
    labelNames: ['route', 'method', 'code'],
    registers,
  }),
  requestSeconds: new Histogram({
    name: 'm2moauth_http_request_seconds',
    help: 'Duration of an HTTP request, streams to their end.',
    labelNames: ['route'],
    buckets: FAST,
    registers,
  }),
  limited: new Counter({
    name: 'm2moauth_server_limits_total',
    help: 'What the limits of a server refused, or shed to make room, by server, limit and action.',
    labelNames: ['server', 'limit', 'action'],
    registers,
  }),
  recordObjects: new Counter({
    name: 'm2moauth_tokens_handed_out_total',
    help: 'JWTs issued on request, by how the client authenticated.',
    labelNames: ['method'],
    registers,
  }),
  rejected: new Counter({
    name: 'm2moauth_token_requests_rejected_total',
    help: 'Requests for tokens rejected because of a limit of the client (RateExceeded, ActiveTokensExceeded) or of memory (MemoryWatermark).',
    labelNames: ['why'],
    registers,
  }),
  failed: new Counter({
    name: 'm2moauth_client_authentication_failures_total',
    help: 'Clients that failed to authenticate, by why.',
    labelNames: ['why'],
    registers,
  }),
  dropped: new Counter({
    name: 'm2moauth_requests_dropped_total',
    help: 'Requests rejected because too many of their client or address waited, by what they waited for.',
    labelNames: ['queue'],
    registers,
  }),
  jwtValidated: new Counter({
    name: 'm2moauth_jwt_judgements_total',
    help: 'Validations of JWTs of this issuer, by outcome.',
    labelNames: ['outcome'],
    registers,
  }),
  revocations: new Histogram({
    name: 'm2moauth_revocation_seen_seconds',
    help: 'Time from a blacklisting, whichever replica recorded it, until this replica observed it; both times are in whole seconds.',
    buckets: [1, 2, 3, 5, 10, 20, 60, 300],
    registers,
  }),
  collected: new Counter({
    name: 'm2moauth_issued_tokens_collected_total',
    help: 'Records of issued tokens deleted after their retention time, by why.',
    labelNames: ['why'],
    registers,
  }),
});
