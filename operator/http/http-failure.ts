/** A refusal by HTTP itself: of a path, a method, a content type, a size. Its message is fixed text. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The status of what fastify threw before a handler ran; undefined where it is none of its own. */
export const statusOfFastify = (error: unknown): number | undefined => {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return undefined;
  const { code, statusCode } = error;
  const isOwn = typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number';
  return isOwn && statusCode >= 400 && statusCode < 600 ? statusCode : undefined;
};

/** What is said of a status that HTTP itself gave. */
export const TEXTS: Readonly<Record<number, string>> = {
  400: 'the request can not be read',
  404: 'there is nothing at this path',
  405: 'the method is not allowed here',
  408: 'the request took too long',
  413: 'the body is too large',
  414: 'the path is too long',
  415: 'the content type is not supported here',
  431: 'the headers are too large',
  503: 'this replica is stopping, ask another one',
};
