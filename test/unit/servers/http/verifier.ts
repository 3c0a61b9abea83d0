/**
 * What an existing verifier makes of an answer of the gateway: it takes every body that is not of a 200 for a google.rpc.Status by
 * ProtoJSON rules, passing over what it does not know, and a Status whose code is 0 for no error at all.
 */
export type ReconcileResult =
  | { readonly kind: 'token'; readonly id: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'error'; readonly code: number }
  /** The body is no message: an error as well. */
  | { readonly kind: 'unreadable' }
  /** An error that the verifier does not recognize: it goes on with a token that was not confirmed. */
  | { readonly kind: 'mistaken for success' };

type Message = Readonly<Record<string, unknown>>;

const messageOf = (text: string): Message | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Message)
      : undefined;
  } catch {
    return undefined;
  }
};

/** An int32: a number or its text; null and absence are 0. */
const codeOf = ({ code }: Message): number | undefined => {
  if (code === undefined || code === null) return 0;
  const isNumber = typeof code === 'number' || typeof code === 'string';
  return isNumber && Number.isInteger(Number(code)) ? Number(code) : undefined;
};

const failureOfStatus = (message: Message | undefined): ReconcileResult => {
  const code = message && codeOf(message);
  // An Any in `details` whose type is not known can not be read.
  if (message === undefined || code === undefined || 'details' in message) return { kind: 'unreadable' };
  return code === 0 ? { kind: 'mistaken for success' } : { kind: 'error', code };
};

/** Reads an answer, as far as its first message. */
export const resultOf = ({
  status,
  body,
}: {
  readonly status: number;
  readonly body: string;
}): ReconcileResult => {
  if (status !== 200) return failureOfStatus(messageOf(body));
  const [line = ''] = body.split('\n', 1);
  if (line === '') return { kind: 'nothing' };
  const message = messageOf(line);
  if (message === undefined) return { kind: 'unreadable' };
  if ('error' in message) return failureOfStatus(message.error as Message);
  const { id } = (message.result ?? {}) as Message;
  return typeof id === 'string' && id !== '' ? { kind: 'token', id } : { kind: 'mistaken for success' };
};
