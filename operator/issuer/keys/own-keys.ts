import type { PublicJwk, ThumbprintOf } from '../../ports/keys.ts';

/** Whether a public key is one of this issuer, in whatever phase: a JWT that it signs may be a token of ours, and proves nothing about another issuer (spec §4, Assertions). */
export type IsOwnKey = (jwk: PublicJwk) => boolean;

export interface OwnKeysOptions {
  readonly thumbprintOf: ThumbprintOf;
  /** Whether a key of this issuer has that `kid`, which is its RFC 7638 thumbprint. */
  readonly isOwnKid: (kid: string) => boolean;
}

/** Makes {@link IsOwnKey}. Thumbprints are computed once for a JWK, which may not change; which keys are ours is asked each time, as they rotate. */
export const createIsOwnKey = ({ thumbprintOf, isOwnKid }: OwnKeysOptions): IsOwnKey => {
  const thumbprints = new WeakMap<PublicJwk, string | undefined>();
  return (jwk) => {
    if (!thumbprints.has(jwk)) thumbprints.set(jwk, thumbprintOf(jwk));
    const thumbprint = thumbprints.get(jwk);
    return thumbprint !== undefined && isOwnKid(thumbprint);
  };
};
