/** What the API server says of a ServiceAccount token (authentication.k8s.io/v1 TokenReview). */
export interface TokenReview {
  readonly authenticated: boolean;
  /** `system:serviceaccount:<namespace>:<name>`; '' where it is not authenticated. */
  readonly username: string;
  /** Those of the asked-for audiences that the token is for. */
  readonly audiences: readonly string[];
}

/** Asks the API server to authenticate a token for `audiences` (TokenReview). @throws ApiError */
export type ReviewToken = (
  token: string,
  audiences: readonly string[],
  options?: { readonly signal?: AbortSignal },
) => Promise<TokenReview>;
