import { Metadata, status } from '@grpc/grpc-js';
import { type FailureCode, IssuerFailure } from '../../issuer/failure.ts';
import { ErrorInfo } from './generated/google/rpc/error_details.ts';
import { Status } from './generated/google/rpc/status.ts';

/** A failure with a specific gRPC status. Its message is fixed text. */
export class StatusFailure extends Error {
  override readonly name = 'StatusFailure';
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

/** The status with which a failed call ends. */
export interface FailedStatus {
  readonly code: status;
  /** Sent to the client: never a secret or an internal detail. */
  readonly details: string;
  readonly metadata?: Metadata;
}

const CODES: Readonly<Record<FailureCode, status>> = {
  Refused: status.UNAUTHENTICATED,
  BearerInvalid: status.UNAUTHENTICATED,
  OwnerMissing: status.INVALID_ARGUMENT,
  Malformed: status.INVALID_ARGUMENT,
  Unavailable: status.UNAVAILABLE,
  Exhausted: status.RESOURCE_EXHAUSTED,
};

/** The domain of `ErrorInfo.reason`. */
const DOMAIN = 'm2moauth.dev';
const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';

/** Trailer in which gRPC implementations expect a google.rpc.Status. */
const DETAILS_KEY = 'grpc-status-details-bin';

const reasonMetadata = (code: status, message: string, reason: string): Metadata => {
  const value = Buffer.from(ErrorInfo.encode({ reason, domain: DOMAIN, metadata: {} }).finish());
  const details = [{ typeUrl: ERROR_INFO, value }];
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, Buffer.from(Status.encode({ code, message, details }).finish()));
  return metadata;
};

const ofFailure = (purpose: string, failure: IssuerFailure): FailedStatus => {
  const code = CODES[failure.code];
  const details = `cannot ${purpose}: ${failure.message}`.toWellFormed();
  const { oauthCode } = failure;
  return {
    code,
    details,
    ...(oauthCode !== undefined && { metadata: reasonMetadata(code, details, oauthCode) }),
  };
};

/**
 * The status of a failed call: for an {@link IssuerFailure} "cannot {purpose}: {message}", with its OAuth code as
 * google.rpc.ErrorInfo; fixed text for every other error (spec §4).
 */
export const statusOf = (purpose: string, error: unknown): FailedStatus => {
  if (error instanceof IssuerFailure) return ofFailure(purpose, error);
  if (error instanceof StatusFailure)
    return { code: error.code, details: `cannot ${purpose}: ${error.message}` };
  return { code: status.INTERNAL, details: `cannot ${purpose}: internal error` };
};

/** The status of a call whose signal has aborted. */
export const abandonedStatus = (deadlineHasPassed: boolean): FailedStatus =>
  deadlineHasPassed
    ? { code: status.DEADLINE_EXCEEDED, details: 'the deadline has passed' }
    : { code: status.CANCELLED, details: 'the call was cancelled' };
