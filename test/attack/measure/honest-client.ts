import { request } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { CreateTokenRequest } from '../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { quantile } from '../../bench/lib/latency.ts';
import { REQUEST } from '../../bench/lib/token-calls.ts';
import { CREATE_TOKEN, type GrpcSession, openGrpcSession } from '../lib/grpc-session.ts';
import { BASE, HOST, type Target } from '../lib/target.ts';

/** Calls of an honest client, one after the other or not: it calls when it needs to. A call that fails took its deadline. */
export interface HonestRound {
  readonly calls: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface HonestClient {
  /** Calls until the signal aborts. */
  run(signal: AbortSignal): Promise<HonestRound>;
  close(): void;
}

export interface HonestOptions {
  readonly target: Target;
  readonly from: string;
  readonly clientId: string;
  readonly perSecond: number;
}

const DEADLINE_MS = 5000;
/** Every so many calls one is made over a new connection, in turn with gRPC and with HTTP. */
const NEW_CONNECTION_EVERY = 20;

/** POST of the token endpoint over a new connection. @throws Error where the answer is not 200 */
const postToken = ({ target, from, clientId }: HonestOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    const { clientSecret, audience } = REQUEST;
    const form = new URLSearchParams({
      grant_type: REQUEST.grantType,
      client_id: clientId,
      client_secret: clientSecret,
      audience: audience.join(' '),
    });
    const call = request({
      host: HOST,
      port: target.ports.http,
      localAddress: from,
      path: `${BASE}/oauth/token`,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      agent: false,
      rejectUnauthorized: false,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    call.on('error', reject);
    call.on('response', (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`the answer was ${response.statusCode}`)),
      );
    });
    call.end(form.toString());
  });

/** A client that needs a token `perSecond` times a second, whatever became of the calls before. */
export const openHonestClient = (options: HonestOptions): HonestClient => {
  const { target, from, clientId, perSecond } = options;
  const message = CreateTokenRequest.encode(
    CreateTokenRequest.fromPartial({ ...REQUEST, clientId }),
  ).finish();
  const connect = (): GrpcSession => openGrpcSession({ port: target.ports.grpc, from });
  let session: GrpcSession | undefined;

  const callOver = async (over: GrpcSession): Promise<void> => {
    const { code } = await over.call(CREATE_TOKEN, message, { deadlineMs: DEADLINE_MS });
    if (code !== 0) throw new Error(`CreateToken: status ${code}`);
  };
  const callOnce = async (): Promise<void> => {
    const once = connect();
    try {
      await callOver(once);
    } finally {
      once.close();
    }
  };
  const call = (at: number): Promise<void> => {
    if (at % NEW_CONNECTION_EVERY === NEW_CONNECTION_EVERY - 1) return callOnce();
    if (at % NEW_CONNECTION_EVERY === NEW_CONNECTION_EVERY / 2 - 1) return postToken(options);
    if (!session?.isOpen) session = connect();
    return callOver(session);
  };

  let count = 0;
  return {
    run: async (signal) => {
      const latencies: number[] = [];
      const timed = async (at: number): Promise<boolean> => {
        const began = performance.now();
        const done = await call(at).then(
          () => true,
          () => false,
        );
        latencies.push(done ? performance.now() - began : DEADLINE_MS);
        return done;
      };
      const calls: Promise<boolean>[] = [];
      const start = performance.now();
      while (!signal.aborted) {
        calls.push(timed(count));
        count += 1;
        const dueMs = start + (calls.length * 1000) / perSecond - performance.now();
        await pause(Math.max(0, dueMs), undefined, { signal }).catch(() => undefined);
      }
      const outcomes = await Promise.all(calls);
      latencies.sort((a, b) => a - b);
      return {
        calls: outcomes.length,
        failed: outcomes.filter((done) => !done).length,
        p50Ms: quantile(latencies, 0.5),
        p99Ms: quantile(latencies, 0.99),
      };
    },
    close: () => session?.close(),
  };
};
