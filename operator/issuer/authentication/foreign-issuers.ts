/** An issuer whose JWTs are believed, as a resource or the configuration names it. */
export interface ForeignIssuer {
  /** Equal to `iss` and to the discovery document's `issuer`. */
  readonly authority: string;
  /** `*` = any, on purpose. */
  readonly audience: string;
  readonly caFile?: string | undefined;
}

/** Verifies JWTs of other issuers by OpenID Connect Discovery and their JWKS, within the limits of contract §4. */
export interface ForeignIssuers {
  /** The claims, signature, `iss`, `aud`, times, `sub` checked; undefined where it is bad. @throws IssuerFailure `Unavailable` where no usable keys can be had */
  verify(
    jwt: string,
    issuer: ForeignIssuer,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>> | undefined>;
}
