import type { OwnerReference } from '../api/meta.ts';
import type { Token } from '../api/token.ts';
import { RENEW_REQUEST } from './annotation-request.ts';
import { MADE_AS_ANNOTATION } from './own-mark.ts';

/** The annotations of a Token's Secret that belong to the operator (spec §2.1); a spec can't set them. */
export const SECRET_ANNOTATIONS = {
  /** The `jti` of the JWT. */
  tokenId: 'm2moauth.dev/token-id',
  /** The uid of the OAuthClient for which the JWT was issued. */
  clientUID: 'm2moauth.dev/client-uid',
  /** `status.lastHandledRenew` at the issuance. */
  renew: RENEW_REQUEST.annotation,
  /** The Secret's own name, and the Token. */
  madeAs: MADE_AS_ANNOTATION,
  /** The names of `spec.secret` that the operator wrote: others may be those of a policy. */
  wrote: 'm2moauth.dev/wrote',
} as const;

/** The name of the Secret that a Token asks for. */
export const secretNameOf = ({ metadata, spec }: Token): string => spec.secret?.name ?? metadata.name;

/** Whether the object with that uid is the controller of an object with these owner references. */
export const isControlledBy = (uid: string, references: readonly OwnerReference[] | undefined): boolean =>
  (references ?? []).some((reference) => reference.uid === uid && reference.controller === true);
