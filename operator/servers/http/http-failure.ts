import { IssuerFailure } from '../../issuer/failure.ts';

/** Fixed error text for each status that the HTTP layer itself answers with. */
const TEXTS = {
  400: 'the request can not be read',
  404: 'there is nothing at this path',
  405: 'the method is not allowed here',
  413: 'the body is too large',
  415: 'the content type is not supported here',
  431: 'there are too many headers',
  503: 'this replica is stopping, ask another one',
} as const;

type HttpStatus = keyof typeof TEXTS;

/** A rejection by the HTTP layer: of a path, a method, a content type or a size. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: HttpStatus;

  constructor(status: HttpStatus, message: string = TEXTS[status]) {
    super(message);
    this.status = status;
  }
}

/** The header of a 429 or a 503 (RFC 9110 §10.2.3, RFC 6585 §4), in seconds: what the failure says, else 1. No header for every other status. */
export const retryAfter = (status: number, failure: unknown): Readonly<Record<string, string>> => {
  if (status !== 429 && status !== 503) return {};
  const seconds = failure instanceof IssuerFailure ? failure.retryAfterSeconds : undefined;
  return { 'retry-after': String(seconds ?? 1) };
};

const isStatus = (status: unknown): status is HttpStatus => typeof status === 'number' && status in TEXTS;

/** An error that fastify threw before a handler ran, as an HttpFailure; every other error unchanged. */
export const fromFastifyError = (error: unknown): unknown => {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return error;
  const { code, statusCode } = error;
  if (typeof code !== 'string' || !code.startsWith('FST_ERR_')) return error;
  if (isStatus(statusCode)) return new HttpFailure(statusCode);
  return typeof statusCode === 'number' && statusCode < 500 ? new HttpFailure(400) : error;
};
