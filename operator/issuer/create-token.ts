import { once } from '../async/keyed-limit.ts';
import { requestedClientID } from '../domain/client/client-rules.ts';
import {
  findFormProblem,
  findGrantDenial,
  type GrantInput,
  grantOf,
  type RequestProblem,
  type TokenRequest,
} from '../domain/client/token-request.ts';
import { buildJwt, type IssuerSettings, issuedAtFor } from '../domain/jwt/claims.ts';
import type { RecordFields } from '../domain/record/token-batch.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Keyring, Signer, UnsignedJwt } from '../ports/signing.ts';
import type { AuthenticationFailures } from './authentication/authentication-failures.ts';
import { IssuerFailure, refused } from './failure.ts';
import type { Admission, AdmitToken } from './limits/client-limits.ts';
import type { Recordable, RecordToken } from './recording/record-token.ts';
import type { AuthenticateClient, AuthenticatedClient, CreateToken } from './use-cases.ts';

export interface CreateTokenOptions {
  readonly authenticateClient: AuthenticateClient;
  /** The one that {@link AuthenticateClient} uses: a replayed assertion counts as a failed authentication. */
  readonly failures: AuthenticationFailures;
  readonly settings: IssuerSettings;
  readonly keyring: Pick<Keyring, 'active'>;
  /** True while this replica has too little memory left to keep more records (spec §6). */
  readonly isMemoryExceeded: () => boolean;
  /** The limits of the client itself. */
  readonly admit: AdmitToken;
  readonly recordToken: RecordToken;
  /** False while this replica's clock is too far off the API server's to issue tokens by it (spec §3, Clock). */
  readonly isClockUsable: () => boolean;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'tokenIssuedOnDemand' | 'tokenRequestRejected'>;
}

/** For an assertion that is authentic, so that its sender may know. */
const TOO_OLD = 'the assertion was signed before this replica could know whether it was used: sign a new one';

const unavailable = (message: string): IssuerFailure => new IssuerFailure('Unavailable', message);

const failureOf = ({ code, message }: RequestProblem): IssuerFailure =>
  code === 'malformed' ? new IssuerFailure('Malformed', message) : refused(code, message);

const rejectIf = (problem: RequestProblem | undefined): void => {
  if (problem) throw failureOf(problem);
};

const activeSigner = (keyring: CreateTokenOptions['keyring']): Signer => {
  const signer = keyring.active();
  if (signer === undefined) throw unavailable('there is no key to sign with now, try again later');
  return signer;
};

/** What the record and the JWT of a token say, but for its id and its client. */
const recordFieldsOf = (
  input: GrantInput,
  {
    request,
    authenticated,
    keyID,
  }: { request: TokenRequest; authenticated: AuthenticatedClient; keyID: string },
): RecordFields => {
  const { owner, audience, scope, expiration } = grantOf(input);
  const { subject = owner, originalTokenClaims } = authenticated;
  const { tokenName } = request;
  const issuedAt = issuedAtFor(input.now, input.settings);
  return { tokenName, audience, scope, owner, subject, issuedAt, expiration, keyID, originalTokenClaims };
};

/** The JWT of a record under an id. */
const jwtOf = (
  id: string,
  fields: RecordFields,
  {
    authenticated: { client, deviceID },
    clientID,
    settings,
  }: { authenticated: AuthenticatedClient; clientID: string; settings: IssuerSettings },
): UnsignedJwt =>
  buildJwt(
    settings,
    { ...fields, clientID, name: fields.tokenName, deviceID, extraClaims: client.spec.insertTokenClaims },
    { id, issuedAt: fields.issuedAt, expiresAt: fields.expiration },
  );

/** How long the garbage collector, and clients that go to other replicas, take to make a difference. */
const MEMORY_RETRY_SECONDS = 5;

/** Before the client is authenticated, since that takes memory too; the text does not say why. */
const rejectIfMemoryExceeded = ({
  isMemoryExceeded,
  metrics,
}: Pick<CreateTokenOptions, 'isMemoryExceeded' | 'metrics'>): void => {
  if (!isMemoryExceeded()) return;
  metrics.tokenRequestRejected('MemoryWatermark');
  throw new IssuerFailure('Unavailable', 'this replica can not issue tokens now, try again later', {
    detail: 'the memory watermark is exceeded',
    retryAfterSeconds: MEMORY_RETRY_SECONDS,
  });
};

/** Records a token, and ends its admission once: when its record counts, or when nothing more can come of it. */
const whileAdmitted = async (
  admission: Admission | undefined,
  record: (notified: Pick<Recordable, 'onRecorded' | 'onWrite'>) => ReturnType<RecordToken>,
): ReturnType<RecordToken> => {
  let write: Promise<unknown> = Promise.resolve();
  const end = once(() => admission?.end());
  try {
    const recorded = await record({
      onRecorded: end,
      onWrite: (written) => {
        write = written;
      },
    });
    if (typeof recorded === 'string') admission?.giveBack();
    return recorded;
  } finally {
    void write.then(end, end);
  }
};

/** Whole seconds until a token expires, at least 1; 0 if it never does (spec §4). */
const secondsUntil = (expiration: number | undefined, now: number): number =>
  expiration === undefined ? 0 : Math.max(1, Math.floor(expiration - now / 1000));

/**
 * Makes {@link CreateToken} (spec §4): checks form and grant name, authenticates the client, checks what it may have and how much,
 * then records the token and signs meanwhile. The JWT is returned once the API server has acknowledged its record (invariant 1).
 */
export const buildCreateToken = (options: CreateTokenOptions): CreateToken => {
  const { authenticateClient, failures, settings, keyring, admit, recordToken, isClockUsable, clock } =
    options;
  return async (request, call) => {
    rejectIf(findFormProblem(request));
    if (!isClockUsable()) {
      throw unavailable("this replica's clock is too far off to issue tokens, try again later");
    }
    rejectIfMemoryExceeded(options);
    const authenticated = await authenticateClient(request, call);
    const { client, owner, assertion, method } = authenticated;
    const input = { request, client, owner, settings, now: clock.now() };
    rejectIf(findGrantDenial(input));
    const signer = activeSigner(keyring);
    const fields = recordFieldsOf(input, { request, authenticated, keyID: signer.kid });
    const clientID = requestedClientID(client);
    const admission = admit(client);
    const recorded = await whileAdmitted(admission, (notified) =>
      recordToken({ client, fields, assertion, call, ...notified }, (id) =>
        signer.sign(jwtOf(id, fields, { authenticated, clientID, settings })),
      ),
    );
    const attempt = { clientID, address: call.address };
    if (recorded === 'AssertionUsed') throw failures.fail(attempt, 'AssertionReplayed');
    if (recorded === 'AssertionTooOld') throw failures.reject(attempt, 'AssertionTooOld', TOO_OLD);
    options.metrics.tokenIssuedOnDemand(method);
    const expiresInSeconds = secondsUntil(fields.expiration, clock.now());
    return { ...recorded, clientID, expiresInSeconds, scope: fields.scope };
  };
};
