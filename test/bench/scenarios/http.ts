import type { GrpcClient } from '../../support/grpc.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { AUDIENCE, type BenchEnv } from '../lib/bench-env.ts';
import { type ComparedRun, type Comparison, compare, comparisonFigure, noRuns } from '../lib/comparison.ts';
import { connectHttp, type HttpClient, type HttpRequest } from '../lib/http-client.ts';
import { type CallRound, timedCalls } from '../lib/latency.ts';
import { ISSUED_TOKENS } from '../lib/records.ts';
import type { Figure } from '../lib/report.ts';
import { QUICK, ROUNDS } from '../lib/scale.ts';
import { operatorCreates, startServer } from '../lib/token-calls.ts';
import {
  BASE,
  BASIC,
  cpuSecondsOf,
  FORM,
  issueToken,
  requestInTurn,
  VERIFIER_REQUEST_NAMES,
  VERIFIER_REQUESTS,
  type VerifierRequest,
} from '../lib/verifier-requests.ts';
import { IN_FLIGHT } from '../limits/api-server.ts';
import { startBareRoutes } from '../limits/bare-routes.ts';

/** Introspection and the verifier's GET beside bare fastify routes with the same answers; the token endpoint beside CreateToken. */

const REQUESTS = QUICK ? 2000 : 8000;
const LAPS = ROUNDS * 3;
const CREATES = QUICK ? 500 : 3000;
/** Distinct tokens that are introspected in turn, as by a gateway. */
const TOKENS = QUICK ? 100 : 1000;
const ROUTE_TARGET = 0.6;
const TOKEN_TARGET = 0.9;

const TOKEN_REQUEST: HttpRequest = {
  method: 'POST',
  path: `${BASE}/oauth/token`,
  headers: { ...FORM, ...BASIC },
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    audience: AUDIENCE,
    scope: 'read',
  }).toString(),
};

/** Runs by what was measured. */
export type HttpRounds = Readonly<Record<VerifierRequest | 'token', Comparison>>;

interface Servers {
  readonly operator: OperatorProcess;
  readonly http: HttpClient;
  readonly grpc: GrpcClient;
}

/** Each run begins without records: with them the API server is slower. */
const comparedToken = ({ operator, http, grpc }: Servers, { server }: BenchEnv): ComparedRun => {
  const cpuSeconds = cpuSecondsOf(operator);
  const prepare = (): Promise<void> => server.empty(ISSUED_TOKENS);
  const askForTokens = (): Promise<CallRound> =>
    timedCalls({ count: CREATES, inFlight: IN_FLIGHT }, () => http.ask(TOKEN_REQUEST));
  return {
    name: 'token',
    calls: CREATES,
    limit: { prepare, run: () => operatorCreates(grpc, CREATES), cpuSeconds },
    own: { prepare, run: askForTokens, cpuSeconds },
  };
};

/** The first lap is for all to warm up. */
const measureAsked = async (servers: Servers, rounds: HttpRounds): Promise<void> => {
  const jwts = await issueToken(servers.grpc, TOKENS);
  const samples = VERIFIER_REQUEST_NAMES.map((name) => VERIFIER_REQUESTS[name](jwts[0] ?? ''));
  const bare = await startBareRoutes(servers.http, samples);
  try {
    const cpuSeconds = cpuSecondsOf(servers.operator);
    for (const name of VERIFIER_REQUEST_NAMES) {
      const requests = jwts.map(VERIFIER_REQUESTS[name]);
      const compared = {
        name,
        calls: REQUESTS,
        limit: { ...requestInTurn(bare.client, requests, REQUESTS), cpuSeconds: bare.cpuSeconds },
        own: { ...requestInTurn(servers.http, requests, REQUESTS), cpuSeconds },
      };
      await compare(noRuns(), compared);
      for (let lap = 1; lap <= LAPS; lap += 1) await compare(rounds[name], compared);
    }
  } finally {
    await bare.stop();
  }
};

/** The same replica runs in all of them. */
export const measureHttp = async (env: BenchEnv): Promise<HttpRounds> => {
  const { operator, grpc } = await startServer(env);
  const servers = { operator, grpc, http: await connectHttp(operator) };
  const rounds = { introspection: noRuns(), "the verifier's GET": noRuns(), token: noRuns() };
  try {
    await measureAsked(servers, rounds);
    for (let round = 1; round <= ROUNDS; round += 1) {
      await compare(rounds.token, comparedToken(servers, env));
    }
  } finally {
    await servers.http.close();
    grpc.close();
    await operator.stop();
    await env.server.empty(ISSUED_TOKENS);
  }
  return rounds;
};

/** What it says in the table. */
export const httpFigures = (rounds: HttpRounds): Figure[] => {
  const route = (name: VerifierRequest): Figure =>
    comparisonFigure(rounds[name], {
      scenario: `${name} of ${TOKENS} tokens, ${IN_FLIGHT} in flight`,
      limit: 'a bare fastify route, the same answer',
      target: ROUTE_TARGET,
    });
  const token = comparisonFigure(rounds.token, {
    scenario: `/oauth/token, ${IN_FLIGHT} in flight`,
    limit: 'CreateToken over gRPC',
    target: TOKEN_TARGET,
  });
  return [route('introspection'), route("the verifier's GET"), token];
};
