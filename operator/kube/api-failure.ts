import { ApiError, EXCEEDED_QUOTA, RESOURCE_VERSION_TOO_LARGE } from '../ports/kube.ts';

/** The parts of a failed call that may stand in an error: nothing of its bodies. */
export interface CallName {
  readonly verb: string;
  readonly path: string;
}

interface Status {
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown; readonly causes?: unknown };
}

const MAX_MESSAGE = 1_000;

/** Validation messages quote the values they reject; those of a Secret and of a TokenReview are secret. */
const isSecretPath = (path: string): boolean => /\/(?:secrets|tokenreviews)(?:\/|$)/u.test(path);

/**
 * Kubernetes says no to what a ResourceQuota has no room for with the same 403 `Forbidden` as to anything that RBAC or
 * a policy forbids: only the message of its quota admission tells them apart, and a caller gets another answer (spec §4).
 */
const OVER_QUOTA = /is forbidden: (?:exceeded|insufficient) quota/u;

const reasonOf = (status: number, reason: string, message: string): string =>
  status === 403 && reason === 'Forbidden' && OVER_QUOTA.test(message) ? EXCEEDED_QUOTA : reason;

/** The cause by which the API server tells this timeout from others (client-go: IsTooLargeResourceVersion). */
const isVersionTooLarge = ({ details }: Status): boolean =>
  Array.isArray(details?.causes) &&
  details.causes.some(
    (cause: { readonly reason?: unknown } | null) => cause?.reason === RESOURCE_VERSION_TOO_LARGE,
  );

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A `metav1.Status` of the API server as an error: verb, path and reason, and its message unless the resource is a Secret. */
export const statusFailure = (
  call: CallName,
  answer: { readonly status: number; readonly body: unknown; readonly retryAfterMs?: number | undefined },
): ApiError => {
  const body = (typeof answer.body === 'object' && answer.body !== null ? answer.body : {}) as Status;
  const message = textOf(body.message).slice(0, MAX_MESSAGE);
  const reason = isVersionTooLarge(body)
    ? RESOURCE_VERSION_TOO_LARGE
    : reasonOf(answer.status, textOf(body.reason), message);
  const shown = isSecretPath(call.path) ? '' : message;
  const seconds = body.details?.retryAfterSeconds;
  const detailsMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
  const head = `${call.verb} ${call.path}: ${answer.status}${reason && ` ${reason}`}`;
  return new ApiError(shown ? `${head}: ${shown}` : head, {
    status: answer.status,
    reason,
    retryAfterMs: answer.retryAfterMs ?? detailsMs,
  });
};

/** The answer is larger than what the caller reads. */
const TOO_LARGE = 'TooLarge';
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/TIMEOUT/u, 'Timeout'],
  [/^RESPONSE_TOO_LARGE$/u, TOO_LARGE],
];

/** Whether a call failed because its answer is larger than its `maxBytes`. */
export const isAnswerTooLarge = (error: unknown): boolean =>
  error instanceof ApiError && error.status === 0 && error.reason === TOO_LARGE;

/**
 * No answer came, or not all of it: `reason` says whether we called it off (`Aborted`), waited too long (`Timeout`), read no further
 * (`TooLarge`) or got no connection (`Unreachable`).
 */
export const transportFailure = (call: CallName, cause: unknown, signal?: AbortSignal): ApiError => {
  if (cause instanceof ApiError) return cause;
  const code = codeOf(cause);
  const known = REASONS.find(([pattern]) => pattern.test(code))?.[1] ?? 'Unreachable';
  const reason = signal?.aborted ? 'Aborted' : known;
  return new ApiError(`${call.verb} ${call.path}: ${reason}${code && ` (${code})`}`, {
    status: 0,
    reason,
    cause,
  });
};

/** The call succeeded, but its answer is no JSON. Without the parser's error, which quotes what it read. */
export const unreadableAnswer = (call: CallName, status: number): ApiError =>
  new ApiError(`${call.verb} ${call.path}: ${status} NotJSON`, { status, reason: 'NotJSON' });

/** `code` of a system or undici error, else its class. */
export const codeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return '';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
};

/** Milliseconds that a `Retry-After` header asks for (RFC 9110 §10.2.3; the API server writes seconds). */
export const retryAfterMsOf = (header: string | string[] | undefined): number | undefined => {
  const seconds = Number(Array.isArray(header) ? header[0] : header);
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
};
