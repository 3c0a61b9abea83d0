import type { Call } from '../../issuer/use-cases.ts';
import type { LogFields } from '../../ports/log.ts';

/** What a method's implementation knows of its call. */
export interface MethodCall extends Call {
  /** The value of the `authorization` metadata; undefined where there is none. @throws IssuerFailure `BearerInvalid` where there are several */
  authorization(): string | undefined;
  /** Adds names to the one line that the log gets of the call. */
  note(fields: LogFields): void;
}

/** What all methods have in common. */
interface MethodShape<Request, Response> {
  /** As the proto names it; the label of metrics. */
  readonly name: string;
  /** What it is for, in the words of an error: "cannot {purpose}: …". */
  readonly purpose: string;
  /** Reads a request. @throws IssuerFailure `Malformed` */
  readonly read: (bytes: Uint8Array) => Request;
  readonly write: (response: Response) => Buffer;
  /** How loud a call is that went well. */
  readonly successLevel: 'info' | 'debug';
}

/** A method with one answer. */
export interface UnaryMethod<Request, Response> extends MethodShape<Request, Response> {
  readonly run: (request: Request, call: MethodCall) => Promise<Response>;
}

/** A method with a stream of answers, some at a time, as they are asked for. */
export interface StreamMethod<Request, Response> extends MethodShape<Request, Response> {
  readonly run: (request: Request, call: MethodCall) => AsyncIterable<readonly Response[]>;
}
