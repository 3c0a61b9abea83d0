import type { ObjectRef } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { type Awaitable, mapAwaitable } from '../../async/map-awaitable.ts';
import { unauthenticatedKey } from '../../domain/caller-address.ts';
import { bySeniority, CLIENT_ID_INDEX, isRegistered } from '../../domain/client/client-rules.ts';
import { withoutFinalNewline } from '../../domain/client/client-secret.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { IssuerFailure } from '../failure.ts';
import type { Reader } from '../registry/live-reads.ts';
import type { AuthenticateClient, AuthenticatedClient, Call, ClientCredentials } from '../use-cases.ts';
import type { AuthenticationFailures, FailureCause } from './authentication-failures.ts';
import { type CheckAssertion, checkEqually, JWT_BEARER } from './client-assertions.ts';
import type { ClientSecrets } from './client-secrets.ts';
import type { Attempt, FailureLimit } from './failure-limit.ts';
import { readUnverifiedJwt } from './unverified-jwt.ts';

export interface AuthenticateClientOptions {
  /** Indexed by {@link CLIENT_ID_INDEX}. */
  readonly clients: Pick<Cache<OAuthClient>, 'byIndex' | 'synced' | 'values'>;
  readonly freshness: Pick<Freshness, 'clients'>;
  /** Whether the API server denies the operator the clients of a namespace, so that none of them can be read. Absent: never. */
  readonly isDenied?: (namespace: string) => boolean;
  /** Whether a client belongs to another issuer, which the index of the cache leaves out. Absent: none does. */
  readonly isOfAnother?: (client: OAuthClient) => boolean;
  /** Reads the client from the API server, for when the cache is stale; undefined if it does not exist. */
  readonly readClient: (ref: ObjectRef, reader: Reader) => Promise<OAuthClient | undefined>;
  readonly secrets: ClientSecrets;
  /** The assertion methods; one of them suffices. */
  readonly assertions: readonly CheckAssertion[];
  readonly limit: FailureLimit;
  readonly failures: AuthenticationFailures;
  /** For the checks of signatures of assertions. */
  readonly signatures: FairSemaphore;
  /** For what attempts beyond the limit cost, so that guessing can't occupy the server; correct credentials still get their turn. */
  readonly queue: FairSemaphore;
}

/** The authentication as one client. */
interface AuthenticationInput {
  /** From the request or its assertion. */
  readonly clientID: string;
  /** Those that the request may mean, in the order in which they are tried. */
  readonly clientSecrets: readonly string[];
  readonly credentials: ClientCredentials;
  readonly call: Call;
}

/** A failed authentication. */
interface Failed {
  readonly cause: FailureCause;
  readonly detail?: string | undefined;
}
type Inputs = readonly [AuthenticationInput, ...AuthenticationInput[]];
/** Of one client ID. */
type FailedAttempt = Failed & { readonly attempt: Attempt };
type Outcome = { readonly authenticated: AuthenticatedClient } | Failed;

const unavailable = (cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the client can not be authenticated now, try again later', {
    detail: 'the clients are not known',
    cause,
  });

/** RFC 7521 §4.2: `client_id` is optional if the assertion names the client, which it does in `iss` and `sub` (RFC 7523 §3). */
const clientIDOf = ({ clientID, assertion }: ClientCredentials): string => {
  if (clientID !== '' || assertion === '') return clientID;
  const { iss, sub } = readUnverifiedJwt(assertion)?.claims ?? {};
  return typeof sub === 'string' && sub === iss ? sub : '';
};

/** The registered client of a client ID (spec §2.4). If there are several, from a restored backup for instance, the oldest. */
const findCachedClient = (
  { clients }: AuthenticateClientOptions,
  clientID: string,
): OAuthClient | undefined => {
  if (!clients.synced) throw unavailable();
  let found: OAuthClient | undefined;
  for (const client of clients.byIndex(CLIENT_ID_INDEX, clientID)) {
    if (!isRegistered(client) || client.metadata.deletionTimestamp !== undefined) continue;
    if (found === undefined || bySeniority(client, found) < 0) found = client;
  }
  return found;
};

/** The registered client, from the cache if that is fresh, else from the API server. */
const findClient = (
  options: AuthenticateClientOptions,
  clientID: string,
  call: Call,
): Awaitable<OAuthClient | undefined> => {
  const cached = findCachedClient(options, clientID);
  if (options.freshness.clients(cached?.metadata.namespace)) return cached;
  const reader = { key: unauthenticatedKey(call, clientID), signal: call.signal };
  return cached === undefined ? readAny(options, reader) : readRegistered(options, cached, reader);
};

const readLive = (
  { readClient }: AuthenticateClientOptions,
  { namespace, name }: ObjectRef,
  reader: Reader,
): Promise<OAuthClient | undefined> =>
  readClient({ namespace, name }, reader).catch((error: unknown) => {
    throw unavailable(error);
  });

/** Any client that can be read; if all are in namespaces that are denied, one of these. */
const findReadable = ({ clients, isDenied }: AuthenticateClientOptions): OAuthClient | undefined => {
  let first: OAuthClient | undefined;
  for (const client of clients.values()) {
    if (isDenied?.(client.metadata.namespace) !== true) return client;
    first ??= client;
  }
  return first;
};

/** Reads any client in place of one that does not exist: otherwise the answer would tell which exist while none can be read. */
const readAny = async (options: AuthenticateClientOptions, reader: Reader): Promise<undefined> => {
  const any = findReadable(options);
  if (any) await readLive(options, any.metadata, reader);
  return undefined;
};

const readRegistered = async (
  options: AuthenticateClientOptions,
  cached: OAuthClient,
  reader: Reader,
): Promise<OAuthClient | undefined> => {
  const live = await readLive(options, cached.metadata, reader);
  const isSame = live?.metadata.uid === cached.metadata.uid && live.metadata.deletionTimestamp === undefined;
  return isSame && isRegistered(live) && options.isOfAnother?.(live) !== true ? live : undefined;
};

const hasAssertionMethod = ({ spec }: OAuthClient): boolean => {
  const { privateKeyJWT, trustedIssuers = [], serviceAccounts = [] } = spec.authentication ?? {};
  return privateKeyJWT !== undefined || trustedIssuers.length > 0 || serviceAccounts.length > 0;
};

/**
 * Why a client can't authenticate by what it has sent, an assertion or a secret; undefined if it may (spec §2.4: a client with an
 * assertion method authenticates by assertions only, another one by its client secret, and without any method nobody does).
 */
const findMethodProblem = (
  client: OAuthClient | undefined,
  sent: 'assertion' | 'secret',
): FailureCause | undefined => {
  if (client === undefined) return 'UnknownClient';
  if (hasAssertionMethod(client)) return sent === 'assertion' ? undefined : 'AssertionMissing';
  if (!client.spec.authentication?.clientSecret) return 'NoMethod';
  // RFC 6749 §2.3: a client must not use more than one method in a request.
  return sent === 'secret' ? undefined : 'AssertionUnexpected';
};

/** Does at once what a check costs, beyond the failure limit when the address and the client that it names have their turn. */
const inTurn = <T>(
  { limit, queue }: AuthenticateClientOptions,
  { clientID, call }: AuthenticationInput,
  work: () => Promise<T>,
): Promise<T> =>
  limit.isOver({ clientID, address: call.address })
    ? queue.run(unauthenticatedKey(call, clientID), work, call.signal)
    : work();

const bySecret = (
  options: AuthenticateClientOptions,
  client: OAuthClient | undefined,
  input: AuthenticationInput,
): Awaitable<Outcome> => {
  const { clientID, clientSecrets, call } = input;
  const turn = (read: () => Promise<boolean>) => inTurn(options, input, read);
  const cause = findMethodProblem(client, 'secret');
  if (client === undefined || cause !== undefined) {
    const compared = options.secrets.verifyAgainstDummy(clientSecrets, { clientID, call, turn });
    return mapAwaitable(compared, () => ({ cause: cause ?? 'UnknownClient' }));
  }
  return mapAwaitable(options.secrets.verify(client, clientSecrets, call, turn), (isCorrect) =>
    isCorrect ? { authenticated: { client, method: 'clientSecret' } } : { cause: 'WrongSecret' },
  );
};

const byAssertion = async (
  options: AuthenticateClientOptions,
  client: OAuthClient | undefined,
  input: AuthenticationInput,
): Promise<Outcome> => {
  const { credentials, clientID, call } = input;
  const { assertion, assertionType } = credentials;
  const cause = findMethodProblem(client, 'assertion');
  const rejected = (detail?: string): Failed => ({ cause: cause ?? 'AssertionInvalid', detail });
  if (assertionType !== JWT_BEARER) return rejected('another assertion type');
  const jwt = readUnverifiedJwt(assertion);
  if (jwt === undefined) return rejected('not an acceptable JWT');
  const { address, signal } = call;
  const key = unauthenticatedKey(call, clientID);
  const checked = { clientID, jwt, address, signal };
  const candidate = cause === undefined ? client : undefined;
  const outcome = await inTurn(options, input, () =>
    checkEqually(options.assertions, candidate, {
      ...checked,
      inTurn: (check) => options.signatures.run(key, check, signal),
    }),
  );
  if (outcome === undefined) return rejected();
  return 'authenticated' in outcome ? outcome : rejected(outcome.problem);
};

/** What was read from a file ends with its newline; no client ID and no JWT does. */
const withoutNewline = (credentials: ClientCredentials): ClientCredentials => ({
  ...credentials,
  clientID: withoutFinalNewline(credentials.clientID),
  assertion: withoutFinalNewline(credentials.assertion),
});

/** The clients that a request may mean, each once, with the secrets that it may mean for it. */
const inputsOf = (sent: ClientCredentials, call: Call): Inputs => {
  const credentials = withoutNewline(sent);
  const { clientSecret, alternatives = [] } = credentials;
  const clientID = clientIDOf(credentials);
  const secretsOf = (id: string): string[] =>
    alternatives.flatMap((other) => (other.clientID === id ? [other.clientSecret] : []));
  const otherIDs = new Set(alternatives.map((other) => other.clientID));
  otherIDs.delete(clientID);
  const more = { credentials, call };
  return [
    { clientID, clientSecrets: [clientSecret, ...secretsOf(clientID)], ...more },
    ...[...otherIDs].map((id) => ({ clientID: id, clientSecrets: secretsOf(id), ...more })),
  ];
};

/**
 * Makes {@link AuthenticateClient} (spec §2.4, §4). A client with an assertion method authenticates by assertions only, another one by
 * its client secret; without any method nobody does. The work depends on what is sent, not on whether there is a client with that ID
 * or which method it has: a secret is compared and waited for, an assertion is read, its claims are checked and a signature is
 * verified. What remains different: documents of an issuer that are fetched, and a TokenReview.
 */
export const createAuthenticateClient = (options: AuthenticateClientOptions): AuthenticateClient => {
  const authenticate = (input: AuthenticationInput): Awaitable<Outcome> => {
    const { clientID, credentials, call } = input;
    const client = clientID === '' ? undefined : findClient(options, clientID, call);
    const prove = credentials.assertion === '' ? bySecret : byAssertion;
    return mapAwaitable(client, (found) => prove(options, found, input));
  };

  const record = (failed: readonly FailedAttempt[]): void => {
    for (const { attempt, cause, detail } of failed) options.failures.fail(attempt, cause, detail);
  };

  /** Authenticates; what failed before counts also if this can't be decided. */
  const authenticateAfter = (
    input: AuthenticationInput,
    failed: readonly FailedAttempt[],
  ): Awaitable<Outcome> => {
    const count = (error: unknown): never => {
      record(failed);
      throw error;
    };
    try {
      const outcome = authenticate(input);
      return outcome instanceof Promise ? outcome.catch(count) : outcome;
    } catch (error) {
      return count(error);
    }
  };

  /** Tries one after the other. If one authenticates, none counts as failed; otherwise each does that was tried. */
  const authenticateAny = (
    [input, ...others]: Inputs,
    failed: readonly FailedAttempt[] = [],
  ): Awaitable<AuthenticatedClient> =>
    mapAwaitable(authenticateAfter(input, failed), (reached) => {
      if ('authenticated' in reached) return reached.authenticated;
      const attempt = { clientID: input.clientID, address: input.call.address };
      const [next, ...rest] = others;
      if (next) return authenticateAny([next, ...rest], [...failed, { ...reached, attempt }]);
      record(failed);
      throw options.failures.fail(attempt, reached.cause, reached.detail);
    });

  return (credentials, call) => authenticateAny(inputsOf(credentials, call));
};
