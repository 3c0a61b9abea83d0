import type { GrpcClient } from '../support/grpc.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { IN_FLIGHT } from './api-server.ts';
import { startBareRoutes } from './bare-routes.ts';
import { createToken, ISSUED_TOKENS, openDoor, operatorCreates } from './handed-out.ts';
import { connectHttp, type HttpAsk, type HttpClient } from './http-client.ts';
import { type CallRound, latencyText, timedCalls } from './latency.ts';
import { type Figure, median, spread } from './report.ts';
import { note, QUICK, ROUNDS } from './scale.ts';
import { AUDIENCE, CLIENT_SECRET, type World } from './world.ts';

/** Introspection and the verifier's GET beside bare fastify routes with the same answers; the token endpoint beside CreateToken. */

const ASKS = QUICK ? 2000 : 20_000;
const CREATES = QUICK ? 500 : 4000;
/** Distinct tokens that are asked about in turn, as a gateway meets them. */
const TOKENS = QUICK ? 100 : 1000;
const ROUTE_TARGET = 0.6;
const TOKEN_TARGET = 0.9;

const BASE = '/m2m-oauth-server';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const BASIC = { authorization: `Basic ${Buffer.from(`bench:${CLIENT_SECRET}`).toString('base64')}` };

/** What is asked about a token, by scenario. */
const ASKED = {
  introspection: (jwt: string): HttpAsk => ({
    method: 'POST',
    path: `${BASE}/oauth/introspect`,
    headers: { ...FORM, ...BASIC },
    body: `token=${jwt}`,
  }),
  "the verifier's GET": (jwt: string): HttpAsk => ({
    method: 'GET',
    path: `${BASE}/api/v1/tokens?idFilter=${idOf(jwt)}&includeBlacklisted=true`,
    headers: { authorization: `Bearer ${jwt}` },
  }),
} as const;

type Asked = keyof typeof ASKED;

const TOKEN_REQUEST: HttpAsk = {
  method: 'POST',
  path: `${BASE}/oauth/token`,
  headers: { ...FORM, ...BASIC },
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    audience: AUDIENCE,
    scope: 'read',
  }).toString(),
};

const idOf = (jwt: string): string =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8')).jti;

/** Rounds of the limit and of the operator, in turn. */
export interface Comparison {
  readonly limit: CallRound[];
  readonly door: CallRound[];
  /** The operator's own CPU time for a call, in milliseconds. */
  readonly cpuMs: number[];
}

export type HttpRounds = Readonly<Record<Asked | 'token', Comparison>>;

interface Contest {
  readonly name: keyof HttpRounds;
  readonly calls: number;
  readonly limit: () => Promise<CallRound>;
  readonly door: () => Promise<CallRound>;
}

const cpuOf = async (operator: OperatorProcess, work: () => Promise<CallRound>, calls: number) => {
  const seconds = (): Promise<number> => operator.metric('process_cpu_seconds_total');
  const before = await seconds();
  const round = await work();
  return { round, cpuMs: (((await seconds()) - before) * 1000) / calls };
};

/** One round of the limit and one of the door, and both figures on stderr. */
const compare = async (
  operator: OperatorProcess,
  comparison: Comparison,
  { name, calls, limit, door }: Contest,
): Promise<void> => {
  comparison.limit.push(await limit());
  const { round, cpuMs } = await cpuOf(operator, door, calls);
  comparison.door.push(round);
  comparison.cpuMs.push(cpuMs);
  note(
    `${name}: limit ${comparison.limit.at(-1)?.perSecond.toFixed(0)}/s, door ${round.perSecond.toFixed(0)}/s`,
  );
};

const asks = (client: HttpClient, requests: readonly HttpAsk[]): Promise<CallRound> =>
  timedCalls({ count: ASKS, inFlight: IN_FLIGHT }, async (at) => {
    const request = requests[at % requests.length];
    if (request) await client.ask(request);
  });

/** What runs side by side; `bare` has the answers of both kinds. */
const contestsOf = (
  { http, bare, grpc }: { http: HttpClient; bare: HttpClient; grpc: GrpcClient },
  jwts: readonly string[],
): Contest[] => [
  ...(Object.keys(ASKED) as Asked[]).map((name): Contest => {
    const requests = jwts.map(ASKED[name]);
    return { name, calls: ASKS, limit: () => asks(bare, requests), door: () => asks(http, requests) };
  }),
  {
    name: 'token',
    calls: CREATES,
    limit: () => operatorCreates(grpc, CREATES),
    door: () => timedCalls({ count: CREATES, inFlight: IN_FLIGHT }, () => http.ask(TOKEN_REQUEST)),
  },
];

const noRounds = (): HttpRounds => {
  const comparison = (): Comparison => ({ limit: [], door: [], cpuMs: [] });
  return { introspection: comparison(), "the verifier's GET": comparison(), token: comparison() };
};

/** Measures; the same replica runs in all rounds, and the first is for all to warm up. */
export const measureHttp = async (world: World): Promise<HttpRounds> => {
  const { operator, door: grpc } = await openDoor(world);
  const http = await connectHttp(operator);
  const jwts: string[] = [];
  await timedCalls(
    { count: TOKENS, inFlight: IN_FLIGHT },
    async () => void jwts.push(await createToken(grpc)),
  );
  const samples = Object.values(ASKED).map((asked) => asked(jwts[0] ?? ''));
  const bare = await startBareRoutes(http, samples);
  const rounds = noRounds();
  try {
    const contests = contestsOf({ http, bare: bare.client, grpc }, jwts);
    for (let round = 0; round <= ROUNDS; round += 1) {
      const into = round === 0 ? noRounds() : rounds;
      for (const contest of contests) await compare(operator, into[contest.name], contest);
    }
  } finally {
    await bare.stop();
    await http.close();
    grpc.close();
    await operator.stop();
    await world.server.empty(ISSUED_TOKENS);
  }
  return rounds;
};

const figure = (
  { limit, door, cpuMs }: Comparison,
  text: { scenario: string; limit: string; target: number },
): Figure => {
  const rates = (all: readonly CallRound[]): number[] => all.map(({ perSecond }) => perSecond);
  const ratio = median(rates(door).map((rate, at) => rate / (rates(limit)[at] ?? Number.NaN)));
  return {
    scenario: `${text.scenario}, ${IN_FLIGHT} in flight`,
    measured: `${spread(rates(door), 'calls/s')}, ${latencyText(door)}, ${median(cpuMs).toFixed(2)} ms CPU each`,
    limit: `${text.limit}: ${spread(rates(limit), 'calls/s')}, ${latencyText(limit)}`,
    ratio,
    target: `≥ ${text.target}`,
    pass: ratio >= text.target,
  };
};

/** What it says in the table. */
export const httpFigures = (rounds: HttpRounds): Figure[] => {
  const route = (name: Asked): Figure =>
    figure(rounds[name], {
      scenario: `${name} of ${TOKENS} tokens`,
      limit: 'a bare fastify route, the same answer',
      target: ROUTE_TARGET,
    });
  return [
    route('introspection'),
    route("the verifier's GET"),
    figure(rounds.token, { scenario: '/oauth/token', limit: 'CreateToken over gRPC', target: TOKEN_TARGET }),
  ];
};
