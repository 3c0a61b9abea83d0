import type { Call } from '../issuer/use-cases.ts';
import type { LogFields } from '../ports/log.ts';

/** What a handler knows of its request besides what it reads; its signal aborts when the caller is gone before it is answered. */
export interface HttpCall extends Call {
  /** The value of the Authorization header. @throws IssuerFailure `BearerInvalid` where there are several */
  authorization(): string | undefined;
  /** Adds names to the one line that the log gets of the request. */
  note(fields: LogFields): void;
}
