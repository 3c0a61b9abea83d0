/** What is said of a status that HTTP itself gave: fixed text. */
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

/** A refusal by HTTP itself: of a path, a method, a content type, a size. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: HttpStatus;

  constructor(status: HttpStatus, message: string = TEXTS[status]) {
    super(message);
    this.status = status;
  }
}

const isStatus = (status: unknown): status is HttpStatus => typeof status === 'number' && status in TEXTS;

/** What fastify itself threw before a handler ran, as one of ours; everything else as it is. */
export const ownFailureOf = (error: unknown): unknown => {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return error;
  const { code, statusCode } = error;
  if (typeof code !== 'string' || !code.startsWith('FST_ERR_')) return error;
  if (isStatus(statusCode)) return new HttpFailure(statusCode);
  return typeof statusCode === 'number' && statusCode < 500 ? new HttpFailure(400) : error;
};
