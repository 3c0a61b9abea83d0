import type { ObjectRef } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { type Awaitable, mapAwaitable } from '../../async/map-awaitable.ts';
import { createSemaphore, type Semaphore } from '../../async/semaphore.ts';
import { bySeniority, CLAIM_INDEX, isRegistered } from '../../domain/client/client-id-claim.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { IssuerFailure, SEMAPHORE_ERRORS } from '../failure.ts';
import type { AuthenticateClient, AuthenticatedClient, Call, ClientCredentials } from '../use-cases.ts';
import { type AssertionInput, type AssertionOutcome, type CheckAssertion, JWT_BEARER } from './assertion.ts';
import type { AuthenticationFailures, FailureCause } from './authentication-failures.ts';
import type { ClientSecrets } from './client-secrets.ts';
import type { FailureLimit } from './failure-limit.ts';
import { readUnverifiedJwt } from './unverified-jwt.ts';

export interface AuthenticateClientOptions {
  /** Indexed by {@link CLAIM_INDEX}. */
  readonly clients: Pick<Cache<OAuthClient>, 'byIndex' | 'synced'>;
  readonly freshness: Pick<Freshness, 'clients'>;
  /** Reads the client from the API server, while the cache is stale; undefined if it does not exist. */
  readonly readClient: (ref: ObjectRef, signal: AbortSignal) => Promise<OAuthClient | undefined>;
  readonly secrets: ClientSecrets;
  /** The ways of proving oneself by a JWT: one suffices. */
  readonly assertions: readonly CheckAssertion[];
  readonly limit: FailureLimit;
  readonly failures: AuthenticationFailures;
}

/** Who is to be found out. */
interface Asked {
  /** What the request or its assertion says. */
  readonly clientID: string;
  readonly credentials: ClientCredentials;
  readonly call: Call;
}

/** A check that failed. */
interface Failed {
  readonly cause: FailureCause;
  readonly detail?: string;
}
type Outcome = { readonly proved: AuthenticatedClient } | Failed;

/** Concurrency for callers beyond their limit of failures, so that guessing can't occupy the endpoint; a correct assertion is still accepted. */
const BEYOND_LIMIT = { atOnce: 2, waiting: 64 };

const unavailable = (cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the client can not be authenticated now, try again later', {
    detail: 'the clients are not known',
    cause,
  });

const hasAssertionMethod = ({ spec }: OAuthClient): boolean => {
  const { privateKeyJWT, trustedIssuers = [], serviceAccounts = [] } = spec.authentication ?? {};
  return privateKeyJWT !== undefined || trustedIssuers.length > 0 || serviceAccounts.length > 0;
};

/** RFC 7521 §4.2: `client_id` may be left out where the assertion names the client, which RFC 7523 §3 has in `iss` and `sub`. */
const clientIDOf = ({ clientID, assertion }: ClientCredentials): string => {
  if (clientID !== '' || assertion === '') return clientID;
  const { iss, sub } = readUnverifiedJwt(assertion)?.claims ?? {};
  return typeof sub === 'string' && sub === iss ? sub : '';
};

/** The holder of a client ID (spec §2.4): of several, in a restored backup say, the oldest. */
const findHolder = ({ clients }: AuthenticateClientOptions, clientID: string): OAuthClient | undefined => {
  if (!clients.synced) throw unavailable();
  let found: OAuthClient | undefined;
  for (const client of clients.byIndex(CLAIM_INDEX, clientID)) {
    if (!isRegistered(client) || client.metadata.deletionTimestamp !== undefined) continue;
    if (found === undefined || bySeniority(client, found) < 0) found = client;
  }
  return found;
};

/** The registered client, from the cache while that is fresh, otherwise from the API server. */
const findClient = (
  options: AuthenticateClientOptions,
  clientID: string,
  call: Call,
): Awaitable<OAuthClient | undefined> => {
  const cached = findHolder(options, clientID);
  return cached === undefined || options.freshness.clients()
    ? cached
    : readHolder(options, cached, call.signal);
};

const readHolder = async (
  options: AuthenticateClientOptions,
  cached: OAuthClient,
  signal: AbortSignal,
): Promise<OAuthClient | undefined> => {
  const { namespace, name, uid } = cached.metadata;
  const live = await options.readClient({ namespace, name }, signal).catch((error: unknown) => {
    throw unavailable(error);
  });
  const isSame = live?.metadata.uid === uid && live.metadata.deletionTimestamp === undefined;
  return isSame && isRegistered(live) ? live : undefined;
};

const checkAssertions = async (
  assertions: readonly CheckAssertion[],
  input: AssertionInput,
): Promise<AssertionOutcome> => {
  let problem = 'it is of no kind that the client has configured';
  for (const check of assertions) {
    const outcome = await check(input);
    if (outcome === undefined) continue;
    if ('proved' in outcome) return outcome;
    problem = outcome.problem;
  }
  return { problem };
};

const bySecret = (
  { secrets }: AuthenticateClientOptions,
  client: OAuthClient,
  { credentials, call }: Asked,
): Awaitable<Outcome> => {
  const { assertion, clientSecret } = credentials;
  // RFC 6749 §2.3: no more than one method in a request.
  if (assertion !== '') return { cause: 'AssertionUnexpected' };
  return mapAwaitable(secrets.isRight(client, clientSecret, call), (isRight) =>
    isRight ? { proved: { client, method: 'clientSecret' } } : { cause: 'WrongSecret' },
  );
};

const byAssertion = async (
  { assertions, limit }: AuthenticateClientOptions,
  client: OAuthClient,
  { credentials, clientID, call, semaphore }: Asked & { readonly semaphore: Semaphore },
): Promise<Outcome> => {
  const { assertion, assertionType } = credentials;
  if (assertion === '') return { cause: 'AssertionMissing' };
  if (assertionType !== JWT_BEARER) return { cause: 'AssertionInvalid', detail: 'another assertion type' };
  const jwt = readUnverifiedJwt(assertion);
  if (jwt === undefined) return { cause: 'AssertionInvalid', detail: 'no JWT that is accepted' };
  const { address, signal } = call;
  const check = () => checkAssertions(assertions, { client, clientID, jwt, signal });
  const isOver = limit.isOver({ clientID, address });
  const outcome = await (isOver ? semaphore.run(check, signal) : check());
  return 'proved' in outcome ? outcome : { cause: 'AssertionInvalid', detail: outcome.problem };
};

/**
 * Makes {@link AuthenticateClient} (spec §2.4, §4). A client that has an assertion method gets in by an assertion
 * alone; a client secret counts where there is none; without any method nobody gets in. An unknown client costs what a
 * wrong secret costs, but for a look at the Secret once a second, and gets the same answer.
 */
export const createAuthenticateClient = (options: AuthenticateClientOptions): AuthenticateClient => {
  const { secrets, failures } = options;
  const semaphore = createSemaphore({ ...BEYOND_LIMIT, errors: SEMAPHORE_ERRORS });

  const authenticate = (client: OAuthClient | undefined, asked: Asked): Awaitable<Outcome> => {
    if (client && hasAssertionMethod(client)) return byAssertion(options, client, { ...asked, semaphore });
    if (client?.spec.authentication?.clientSecret) return bySecret(options, client, asked);
    secrets.verifyAgainstDummy(asked.credentials.clientSecret);
    return { cause: client ? 'NoMethod' : 'UnknownClient' };
  };

  return (credentials, call) => {
    const clientID = clientIDOf(credentials);
    const client = clientID === '' ? undefined : findClient(options, clientID, call);
    const outcome = mapAwaitable(client, (found) => authenticate(found, { clientID, credentials, call }));
    return mapAwaitable(outcome, (reached) => {
      if ('proved' in reached) return reached.proved;
      throw failures.fail({ clientID, address: call.address }, reached.cause, reached.detail);
    });
  };
};
