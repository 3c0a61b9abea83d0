/** How a reconcile ended; also the label `outcome`. */
export type ReconcileOutcome = 'done' | 'requeued' | 'conflict' | 'error';

/** The servers whose limits are counted. */
export type ServerName = 'grpc' | 'http';
/** Limits of the servers on what callers hold at once; also the label `limit`. */
export type LimitName =
  | 'connections'
  | 'addressConnections'
  | 'connectionRate'
  | 'streams'
  | 'resets'
  | 'pipelinedRequests'
  | 'rejectedRequests'
  | 'unfinishedRequests'
  | 'bytes'
  | 'healthWatches'
  | 'reflections';
/** What a limit did: rejected what was new, or ended what was there to make room; also the label `action`. */
export type LimitAction = 'refused' | 'shed';

/** Which limit rejected a request for a token; also the label `why`. */
type TokenRejection = 'RateExceeded' | 'ActiveTokensExceeded' | 'MemoryWatermark';

/** What the parts of the operator report; one adapter turns it into Prometheus metrics. No label is taken from user input. */
export interface Metrics {
  reconciled(kind: string, outcome: ReconcileOutcome, seconds: number): void;
  queueDepth(kind: string, depth: number): void;
  queueWaited(kind: string, seconds: number): void;
  /** `cause` is why the JWT was issued: `Issued`, `Renewed`, … (closed set). */
  tokenIssued(cause: string): void;
  tokenBlacklisted(): void;
  tokenCollected(): void;
  signed(algorithm: string, seconds: number): void;
  /** One API server request; `code` is the HTTP status, or `0` where none came. */
  apiRequest(verb: string, code: number, seconds: number): void;
  watchRestarted(resource: string, why: 'closed' | 'error' | 'expired' | 'stalled' | 'rewound'): void;
  eventDropped(): void;
  leading(isLeader: boolean): void;
  /** Seconds that this clock is ahead of the API server's `Date` (negative: behind). */
  clockSkew(seconds: number): void;
  /** One call at the gRPC server; `method` is one that is served, or `unknown`; `code` the status by name. */
  grpcCall(method: string, code: string, seconds: number): void;
  /** One request at the HTTP server; `route` is a pattern or `unknown`, `method` one that HTTP knows or `other`. */
  httpRequest(labels: { route: string; method: string; code: string }, seconds: number): void;
  /** A limit of a server had an effect. */
  limited(server: ServerName, limit: LimitName, action: LimitAction): void;
  /** A token was issued on request; `method` is how its client authenticated. */
  tokenIssuedOnDemand(method: string): void;
  /** A request for a token was rejected because of a limit. */
  tokenRequestRejected(why: TokenRejection): void;
  /** A client failed to authenticate; `why` is of a closed set. */
  authenticationFailed(why: string): void;
  /** A request was rejected because too many waited; `queue` is of a closed set. */
  requestDropped(queue: string): void;
  /** A JWT of this issuer was validated, or could not be because a cache was stale or the clock unusable. */
  jwtValidated(outcome: 'valid' | 'invalid' | 'unavailable'): void;
  /** Seconds (by their whole-second times) from a blacklisting until this replica's cache showed it. */
  revocationSeen(seconds: number): void;
  /** How many records of issued tokens the leader deleted after their retention time. */
  recordsCollected(why: string, count: number): void;
}
