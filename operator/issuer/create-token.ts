import type { IssuedToken } from '../api/issued-token.ts';
import { buildJwt, type IssuerSettings, issuedAtFor } from '../domain/claims.ts';
import { claimOf } from '../domain/client-holder.ts';
import { buildIssuedToken } from '../domain/issued-token.ts';
import { uuidV5 } from '../domain/token-id.ts';
import { findShapeProblem, type RequestProblem } from '../domain/token-request.ts';
import { decideRequest, type GrantedRequest } from '../domain/token-request-policies.ts';
import type { Clock } from '../ports/clock.ts';
import { isAlreadyExists, isOverQuota, isTooLarge, type ResourceClient } from '../ports/kube.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Keyring, Signer } from '../ports/signing.ts';
import type { AuthenticationFailures } from './authentication/authentication-failures.ts';
import { IssuerFailure, refused } from './failure.ts';
import { createSlots } from './slots.ts';
import type {
  AuthenticateClient,
  AuthenticatedClient,
  Call,
  CreateToken,
  HandedOutToken,
  TokenRequest,
} from './use-cases.ts';

export interface CreateTokenOptions {
  readonly authenticateClient: AuthenticateClient;
  /** Shared with {@link AuthenticateClient}: a replayed assertion is a failure like any other. */
  readonly failures: AuthenticationFailures;
  readonly settings: IssuerSettings;
  readonly keyring: Pick<Keyring, 'active'>;
  readonly records: Pick<ResourceClient<IssuedToken>, 'create'>;
  /** Is told of each record as the API server answered it, before the JWT leaves. */
  readonly onRecorded: (record: IssuedToken) => void;
  /** False while this clock is too far off the API server's to judge times by it. */
  readonly isClockUsable: () => boolean;
  /** A version 4 UUID from the system's randomness. */
  readonly newID: () => string;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'tokenHandedOut'>;
}

/** What is decided of a token before it has an id. */
interface Draft {
  readonly authenticated: AuthenticatedClient;
  readonly clientID: string;
  readonly tokenName: string;
  readonly granted: GrantedRequest;
  readonly issuedAt: number;
  readonly signer: Signer;
  readonly signal: AbortSignal;
}

/** Creates under way keep an API server of many cores busy; what waits beyond them is a few seconds of its work. */
const CREATES = { atOnce: 256, waiting: 4096 };

const unavailable = (message: string, cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', message, { cause });

const failureOf = ({ code, message }: RequestProblem): IssuerFailure =>
  code === 'malformed' ? new IssuerFailure('Malformed', message) : refused(code, message);

/** Nothing is tried again that may have been done: after a timeout there may be a record, and no JWT of it is out. */
const recordFailure = (error: unknown): IssuerFailure => {
  if (error instanceof IssuerFailure) return error;
  if (isOverQuota(error)) {
    return new IssuerFailure(
      'Exhausted',
      "a quota of the client's namespace leaves no room for another token",
      {
        cause: error,
      },
    );
  }
  if (isTooLarge(error)) {
    return new IssuerFailure('Exhausted', 'the token is too large to be recorded', { cause: error });
  }
  return unavailable('the token can not be recorded now, try again later', error);
};

const draftOf = (
  { settings, keyring, clock }: CreateTokenOptions,
  authenticated: AuthenticatedClient,
  { request, signal }: { request: TokenRequest; signal: AbortSignal },
): Draft => {
  const { client, owner } = authenticated;
  const now = clock.now();
  const decision = decideRequest({ request, client, owner, settings, now });
  if (decision.kind === 'refused') throw failureOf(decision.problem);
  const signer = keyring.active();
  if (signer === undefined) throw unavailable('there is no key to sign with now, try again later');
  return {
    authenticated,
    clientID: claimOf(client),
    tokenName: request.tokenName,
    granted: decision.granted,
    issuedAt: issuedAtFor(now, settings),
    signer,
    signal,
  };
};

/** The record and the JWT of a draft under an id: what the one says, the other does too. */
const issuanceOf = (settings: IssuerSettings, draft: Draft, id: string) => {
  const { authenticated, clientID, tokenName, granted, issuedAt, signer } = draft;
  const { client, originalTokenClaims } = authenticated;
  const { owner, audience, scope, expiration } = granted;
  const subject = authenticated.subject ?? owner;
  const said = { clientID, owner, subject, audience, scope, originalTokenClaims };
  const jwt = buildJwt(
    settings,
    { ...said, name: tokenName, extraClaims: client.spec.insertTokenClaims },
    { id, issuedAt, expiresAt: expiration },
  );
  const record = buildIssuedToken({
    ...said,
    id,
    client,
    tokenName,
    issuedAt,
    expiration,
    keyID: signer.kid,
  });
  return { jwt, record };
};

/**
 * Makes {@link CreateToken} (contract §4): shape and grant name → client → what the client may have → one write, and the
 * signature beside it. The JWT leaves once the API server has acknowledged its record (invariant 1).
 */
export const createCreateToken = (options: CreateTokenOptions): CreateToken => {
  const { authenticateClient, failures, settings, records, clock, metrics } = options;
  const slots = createSlots(CREATES);

  /** @throws ApiError, IssuerFailure */
  const issue = async (draft: Draft, id: string): Promise<string> => {
    const { jwt, record } = issuanceOf(settings, draft, id);
    const { signal, signer } = draft;
    const [created, accessToken] = await Promise.all([
      slots.run(() => records.create(record, { signal }), signal),
      signer.sign(jwt),
    ]);
    options.onRecorded(created);
    return accessToken;
  };

  const handOut = async (draft: Draft, id: string): Promise<HandedOutToken> => {
    const accessToken = await issue(draft, id);
    const { authenticated, clientID, granted } = draft;
    metrics.tokenHandedOut(authenticated.method);
    const { expiration, scope } = granted;
    const left = expiration === undefined ? 0 : Math.max(1, Math.floor(expiration - clock.now() / 1000));
    return { id, clientID, accessToken, expiresInSeconds: left, scope };
  };

  const handOutOnce = async (
    draft: Draft,
    assertionID: string,
    { address }: Call,
  ): Promise<HandedOutToken> => {
    // RFC 7523 §3 item 7: every replica derives the same name, so that the API server refuses the second record.
    const id = uuidV5(draft.authenticated.client.metadata.uid, assertionID);
    try {
      return await handOut(draft, id);
    } catch (error) {
      if (!isAlreadyExists(error)) throw recordFailure(error);
      throw failures.fail({ clientID: draft.clientID, address }, 'AssertionReplayed');
    }
  };

  const handOutAny = async (draft: Draft): Promise<HandedOutToken> => {
    try {
      return await handOut(draft, options.newID());
    } catch (error) {
      if (!isAlreadyExists(error)) throw recordFailure(error);
    }
    try {
      return await handOut(draft, options.newID());
    } catch (error) {
      throw recordFailure(error);
    }
  };

  return async (request, call) => {
    const problem = findShapeProblem(request);
    if (problem) throw failureOf(problem);
    if (!options.isClockUsable()) {
      throw unavailable("this replica's clock is too far off to issue tokens, try again later");
    }
    const authenticated = await authenticateClient(request, call);
    const draft = draftOf(options, authenticated, { request, signal: call.signal });
    const { assertionID } = authenticated;
    return assertionID === undefined ? handOutAny(draft) : handOutOnce(draft, assertionID, call);
  };
};
