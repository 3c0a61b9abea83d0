import { decodeJwt } from 'jose';
import type { GrpcClient } from '../../support/grpc.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { IN_FLIGHT } from '../limits/api-server.ts';
import { CLIENT_SECRET } from './bench-env.ts';
import type { Side } from './comparison.ts';
import type { HttpClient, HttpRequest } from './http-client.ts';
import { timedCalls } from './latency.ts';
import { createToken } from './token-calls.ts';

/** What gateways and verifiers ask about a token over HTTP. */

export const BASE = '/m2m-oauth-server';
export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
/** The bench's client, as it proves itself. */
export const BASIC = {
  authorization: `Basic ${Buffer.from(`bench:${CLIENT_SECRET}`).toString('base64')}`,
};

/** The request that asks about a token, by scenario. */
export const VERIFIER_REQUESTS = {
  introspection: (jwt: string): HttpRequest => ({
    method: 'POST',
    path: `${BASE}/oauth/introspect`,
    headers: { ...FORM, ...BASIC },
    body: `token=${jwt}`,
  }),
  "the verifier's GET": (jwt: string): HttpRequest => ({
    method: 'GET',
    path: `${BASE}/api/v1/tokens?idFilter=${decodeJwt(jwt).jti}&includeBlacklisted=true`,
    headers: { authorization: `Bearer ${jwt}` },
  }),
} as const;

export type VerifierRequest = keyof typeof VERIFIER_REQUESTS;
export const VERIFIER_REQUEST_NAMES = Object.keys(VERIFIER_REQUESTS) as readonly VerifierRequest[];

/** Issues distinct tokens, to be introspected in turn, as by a gateway. */
export const issueToken = async (grpc: GrpcClient, count: number): Promise<string[]> => {
  const jwts: string[] = [];
  await timedCalls({ count, inFlight: IN_FLIGHT }, async () => void jwts.push(await createToken(grpc)));
  return jwts;
};

/** CPU time of an operator so far. */
export const cpuSecondsOf = (operator: OperatorProcess) => (): Promise<number> =>
  operator.metric('process_cpu_seconds_total');

/** A run's calls, which ask in turn about each of some tokens. */
export const requestInTurn = (
  client: HttpClient,
  requests: readonly HttpRequest[],
  calls: number,
): Pick<Side, 'run'> => ({
  run: () =>
    timedCalls({ count: calls, inFlight: IN_FLIGHT }, async (at) => {
      const request = requests[at % requests.length];
      if (request) await client.ask(request);
    }),
});
