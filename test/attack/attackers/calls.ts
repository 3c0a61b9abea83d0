import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CreateTokenRequest,
  GetTokensRequest,
} from '../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { REQUEST } from '../../bench/lib/token-calls.ts';
import type { AttackContext, Attacker } from '../lib/attacker.ts';
import { CREATE_TOKEN, GET_TOKENS, type GrpcSession, openGrpcSession } from '../lib/grpc-session.ts';
import { attackerAddress, GREEDY, VICTIM } from '../lib/target.ts';

/** A call of a flood. */
interface Call {
  readonly path: string;
  readonly message: Uint8Array;
  readonly authorization?: string;
}

interface FloodOptions {
  readonly connections: number;
  /** Calls of each connection at a time. */
  readonly inFlight: number;
}

const AFTER_FAILURE_MS = 50;

/** Calls over and over; what is answered with another status than OK is refused. */
const callFlood =
  ({ connections, inFlight }: FloodOptions, callOf: (context: AttackContext, at: number) => Call): Attacker =>
  async (context) => {
    const { counter, signal, target } = context;
    let count = 0;
    const connect = (): GrpcSession => openGrpcSession({ port: target.ports.grpc, from: attackerAddress(0) });
    const repeat = async (sessionOf: () => GrpcSession): Promise<void> => {
      while (!signal.aborted) {
        const { path, message, ...options } = callOf(context, count);
        count += 1;
        counter.attempted();
        try {
          const { code } = await sessionOf().call(path, message, options);
          if (code === 0) counter.accepted();
          else counter.refused(`status ${code}`);
        } catch (error) {
          counter.refused((error as Error).message);
          await pause(AFTER_FAILURE_MS);
        }
      }
    };
    const repeatOver = async (): Promise<void> => {
      let session = connect();
      const sessionOf = (): GrpcSession => {
        if (!session.isOpen) session = connect();
        return session;
      };
      await Promise.all(Array.from({ length: inFlight }, () => repeat(sessionOf)));
    };
    await Promise.all(Array.from({ length: connections }, repeatOver));
  };

const createToken = (request: Partial<CreateTokenRequest>): Call => ({
  path: CREATE_TOKEN,
  message: CreateTokenRequest.encode(CreateTokenRequest.fromPartial({ ...REQUEST, ...request })).finish(),
});

/** Guesses of one client's secret. */
export const guessedSecrets = (options: FloodOptions): Attacker =>
  callFlood(options, () => createToken({ clientId: VICTIM, clientSecret: randomBytes(16).toString('hex') }));

/** Valid requests of one client. */
export const greedyClient = (options: FloodOptions): Attacker =>
  callFlood(options, () => createToken({ clientId: GREEDY }));

const getTokens = (authorization: string, idFilter: readonly string[] = []): Call => ({
  path: GET_TOKENS,
  message: GetTokensRequest.encode({ idFilter: [...idFilter], includeBlacklisted: true }).finish(),
  authorization,
});

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT that nobody signed, by a key that does not exist or by the one of `like`, with a new jti. */
const unsigned = (like: string, kid?: string): string => {
  const [head = '', claims = ''] = like.split('.');
  const decode = (text: string): object => JSON.parse(Buffer.from(text, 'base64url').toString());
  const header = { ...decode(head), ...(kid !== undefined && { kid }) };
  return `${part(header)}.${part({ ...decode(claims), jti: randomUUID() })}.${randomBytes(64).toString('base64url')}`;
};

const FILTER_IDS = 1000;

/** Bearers that are garbage, of an unknown key, or with a wrong signature, and a valid one that asks for 1,000 ids that nobody has. */
export const badBearers = (options: FloodOptions): Attacker =>
  callFlood(options, ({ target: { listedJwt } }, at) => {
    const bearers = [
      () => getTokens(`Bearer ${randomBytes(300).toString('base64url')}`),
      () => getTokens(`Bearer ${unsigned(listedJwt, randomUUID())}`),
      () => getTokens(`Bearer ${unsigned(listedJwt)}`),
      () =>
        getTokens(
          `Bearer ${listedJwt}`,
          Array.from({ length: FILTER_IDS }, () => randomUUID()),
        ),
    ];
    return (bearers[at % bearers.length] ?? (() => getTokens('')))();
  });

const DEPTH = 6000;
const deepClaims = Buffer.from(`{"a":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`).toString('base64url');
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A message of groups within groups, of which nothing is known (a start-group tag is one byte). */
const NESTED_GROUPS = Buffer.alloc(60_000, 0xfb);

/** Assertions and messages that are nested thousands of times. */
export const deepMessages = (options: FloodOptions): Attacker =>
  callFlood(options, (_context, at) => {
    if (at % 2 === 0) return { path: CREATE_TOKEN, message: NESTED_GROUPS };
    return createToken({
      clientId: GREEDY,
      clientSecret: '',
      clientAssertionType: JWT_BEARER,
      clientAssertion: `${part({ alg: 'ES256', kid: 'a' })}.${deepClaims}.AAAA`,
    });
  });
