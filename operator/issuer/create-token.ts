import { claimOf } from '../domain/client/client-id-claim.ts';
import { findShapeProblem, type RequestProblem } from '../domain/client/token-request.ts';
import { decideRequest, type GrantedRequest } from '../domain/client/token-request-policies.ts';
import { buildJwt, type IssuerSettings, issuedAtFor } from '../domain/jwt/claims.ts';
import type { RecordFields } from '../domain/record/token-batch.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Keyring, Signer } from '../ports/signing.ts';
import type { AuthenticationFailures } from './authentication/authentication-failures.ts';
import { IssuerFailure, refused } from './failure.ts';
import type { RecordToken } from './recording/record-token.ts';
import type {
  AuthenticateClient,
  AuthenticatedClient,
  Call,
  CreateToken,
  IssuedAccessToken,
  TokenRequest,
} from './use-cases.ts';

export interface CreateTokenOptions {
  readonly authenticateClient: AuthenticateClient;
  /** Shared with {@link AuthenticateClient}: a replayed assertion is a failure like any other. */
  readonly failures: AuthenticationFailures;
  readonly settings: IssuerSettings;
  readonly keyring: Pick<Keyring, 'active'>;
  readonly recordToken: RecordToken;
  /** False while this clock is too far off the API server's to judge times by it. */
  readonly isClockUsable: () => boolean;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'tokenIssuedOnDemand'>;
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

const unavailable = (message: string): IssuerFailure => new IssuerFailure('Unavailable', message);

const failureOf = ({ code, message }: RequestProblem): IssuerFailure =>
  code === 'malformed' ? new IssuerFailure('Malformed', message) : refused(code, message);

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

/** What the record of a draft says. */
const contentOf = ({ authenticated, tokenName, granted, issuedAt, signer }: Draft): RecordFields => {
  const { owner, audience, scope, expiration } = granted;
  const { subject = owner, originalTokenClaims } = authenticated;
  const keyID = signer.kid;
  return { tokenName, audience, scope, owner, subject, issuedAt, expiration, keyID, originalTokenClaims };
};

/** The JWT of a draft under an id: it says what the record does. */
const jwtOf = (
  settings: IssuerSettings,
  { authenticated, clientID }: Draft,
  content: RecordFields,
  id: string,
) =>
  buildJwt(
    settings,
    {
      ...content,
      clientID,
      name: content.tokenName,
      extraClaims: authenticated.client.spec.insertTokenClaims,
    },
    { id, issuedAt: content.issuedAt, expiresAt: content.expiration },
  );

/**
 * Makes {@link CreateToken} (spec §4): shape and grant name → client → what the client may have → its record, and the
 * signature beside it. The JWT leaves once the API server has acknowledged its record (invariant 1).
 */
export const buildCreateToken = (options: CreateTokenOptions): CreateToken => {
  const { authenticateClient, failures, settings, recordToken, clock, metrics } = options;

  const issueToken = async (draft: Draft, { address }: Call): Promise<IssuedAccessToken> => {
    const { authenticated, clientID, granted, signer, signal } = draft;
    const { client, assertionID } = authenticated;
    const content = contentOf(draft);
    const recorded = await recordToken({ client, content, assertionID, signal }, (id) =>
      signer.sign(jwtOf(settings, draft, content, id)),
    );
    if (recorded === 'AssertionUsed') throw failures.fail({ clientID, address }, 'AssertionReplayed');
    metrics.tokenIssuedOnDemand(authenticated.method);
    const { expiration, scope } = granted;
    const left = expiration === undefined ? 0 : Math.max(1, Math.floor(expiration - clock.now() / 1000));
    return { ...recorded, clientID, expiresInSeconds: left, scope };
  };

  return async (request, call) => {
    const problem = findShapeProblem(request);
    if (problem) throw failureOf(problem);
    if (!options.isClockUsable()) {
      throw unavailable("this replica's clock is too far off to issue tokens, try again later");
    }
    const authenticated = await authenticateClient(request, call);
    return issueToken(draftOf(options, authenticated, { request, signal: call.signal }), call);
  };
};
