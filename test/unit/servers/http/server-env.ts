import type { Issuer } from '../../../../operator/issuer/use-cases.ts';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import type { PublicKeys } from '../../../../operator/ports/signing.ts';
import { createHttpServer, type HttpServerOptions } from '../../../../operator/servers/http/server.ts';
import type { Lifecycle } from '../../../../operator/servers/listener/lifecycle.ts';
import {
  type RecordedLog,
  type RecordedMetrics,
  recordedLog,
  recordedMetrics,
} from '../../../support/quiet.ts';
import { PLAIN, tokenRecord } from '../grpc/server-env.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';

/** What a use case was called with, in order; the signal left out. */
type Called = readonly [name: keyof Issuer, ...args: unknown[]];

/** A server over use cases that the test replaces, on a real socket. */
export interface ServerEnv extends AsyncDisposable {
  readonly server: Lifecycle;
  readonly port: number;
  /** Where it listens; {@link BASE} is part of it. */
  readonly url: string;
  readonly log: RecordedLog;
  readonly metrics: RecordedMetrics;
  readonly calls: readonly Called[];
  /** The lines of requests that are over. */
  requests(): { level: string; [field: string]: unknown }[];
}

export const BASE = '/m2m-oauth-server';
export const ISSUER_URL = `https://issuer.example${BASE}`;

export const TOKEN = {
  id: 'jti',
  clientID: 'client-id',
  accessToken: 'access-token',
  expiresInSeconds: 3600,
  scope: ['read', 'write'],
};
const BEARER = { owner: 'owner', onlyID: undefined, client: 'ns/client' };

/** What each use case does unless the test says otherwise. */
const ISSUER: Issuer = {
  createToken: async () => TOKEN,
  authenticateBearer: async () => BEARER,
  authenticateSelf: async () => ({ bearer: BEARER, own: undefined }),
  async *listTokens() {
    yield [tokenRecord('one')];
  },
  deleteTokens: async () => ({ blacklisted: 1, deleted: 2 }),
  introspectToken: async () => ({ jti: 'jti', client_id: 'other-client', scope: 'read' }),
  revokeToken: async () => ({ clientID: 'client-id', id: 'jti' }),
};

/** Keys that a test changes. */
export class TestKeys implements PublicKeys {
  readonly #handlers = new Set<() => void>();
  #keys: readonly Readonly<Record<string, unknown>>[] = [{ kty: 'EC', kid: 'one', use: 'sig', alg: 'ES256' }];
  known = true;

  jwks() {
    return { keys: this.#keys };
  }

  onChange(handler: () => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  change(keys: readonly Readonly<Record<string, unknown>>[]): void {
    this.#keys = keys;
    for (const handler of this.#handlers) handler();
  }
}

const withoutSignal = (args: readonly unknown[]): unknown[] =>
  args.map((arg) => {
    if (typeof arg !== 'object' || arg === null || !('signal' in arg)) return arg;
    return 'address' in arg ? { address: arg.address } : {};
  });

/** The same use cases, each telling that it was called. */
const recorded = (issuer: Issuer, calls: Called[]): Issuer =>
  Object.fromEntries(
    Object.entries(issuer).map(([name, useCase]) => [
      name,
      (...args: unknown[]) => {
        calls.push([name as keyof Issuer, ...withoutSignal(args)]);
        return (useCase as (...args: unknown[]) => unknown)(...args);
      },
    ]),
  ) as unknown as Issuer;

/** Opens a server on a free port of loopback. */
export const openServerEnv = async (
  issuer: Partial<Issuer> = {},
  more: Partial<HttpServerOptions> = {},
): Promise<ServerEnv> => {
  const [log, metrics, calls] = [recordedLog(), recordedMetrics(), [] as Called[]];
  const server = createHttpServer({
    address: { host: '127.0.0.1', port: 0 },
    tls: PLAIN,
    corsOrigins: [],
    trustedProxies: [],
    issuerUrl: ISSUER_URL,
    issuer: recorded({ ...ISSUER, ...issuer }, calls),
    keys: new TestKeys(),
    version: '1.2.3',
    load: testLoadLimits({ log, metrics }),
    clock: systemClock,
    log,
    metrics,
    ...more,
  });
  const port = await server.start(new AbortController().signal);
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}${BASE}`,
    log,
    metrics,
    calls,
    requests: () =>
      log.lines
        .filter(({ message }) => message === 'HTTP request')
        .map(({ level, fields }) => ({ level, ...fields })),
    [Symbol.asyncDispose]: () => server.stop(0),
  };
};

/** The status of an answer and its JSON. */
export const jsonAnswerOf = async (
  answer: Response | Promise<Response>,
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs by endpoint, and a test asserts it
): Promise<{ status: number; body: any }> => {
  const response = await answer;
  return { status: response.status, body: await response.json() };
};
