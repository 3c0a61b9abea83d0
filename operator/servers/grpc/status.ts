import { Metadata, status } from '@grpc/grpc-js';
import { type FailureCode, IssuerFailure } from '../../issuer/failure.ts';
import type { Any } from './generated/google/protobuf/any.ts';
import { ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
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
  Limited: status.RESOURCE_EXHAUSTED,
};

/** The domain of `ErrorInfo.reason`. */
const DOMAIN = 'm2moauth.dev';
const TYPES = 'type.googleapis.com/google.rpc';

/** Trailer in which gRPC implementations expect a google.rpc.Status. */
const DETAILS_KEY = 'grpc-status-details-bin';

/** RFC 6749 §4.1.2.1, as the token endpoint answers to the same failure. */
const LIMITED = 'temporarily_unavailable';

const detailsOf = ({ code, oauthCode, retryAfterSeconds }: IssuerFailure): Any[] => {
  const reason = code === 'Limited' ? LIMITED : oauthCode;
  const info = (reason: string): Any => ({
    typeUrl: `${TYPES}.ErrorInfo`,
    value: Buffer.from(ErrorInfo.encode({ reason, domain: DOMAIN, metadata: {} }).finish()),
  });
  const retry = (seconds: number): Any => ({
    typeUrl: `${TYPES}.RetryInfo`,
    value: Buffer.from(RetryInfo.encode({ retryDelay: { seconds: BigInt(seconds), nanos: 0 } }).finish()),
  });
  return [
    ...(reason === undefined ? [] : [info(reason)]),
    ...(retryAfterSeconds === undefined ? [] : [retry(retryAfterSeconds)]),
  ];
};

const metadataOf = (code: status, message: string, details: Any[]): Metadata => {
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, Buffer.from(Status.encode({ code, message, details }).finish()));
  return metadata;
};

const ofFailure = (purpose: string, failure: IssuerFailure): FailedStatus => {
  const code = CODES[failure.code];
  const details = `cannot ${purpose}: ${failure.message}`.toWellFormed();
  const more = detailsOf(failure);
  return { code, details, ...(more.length > 0 && { metadata: metadataOf(code, details, more) }) };
};

/**
 * The status of a failed call: for an {@link IssuerFailure} "cannot {purpose}: {message}", with its OAuth code as
 * google.rpc.ErrorInfo and its time of a retry as google.rpc.RetryInfo; fixed text for every other error (spec §4).
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
