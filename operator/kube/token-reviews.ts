import type { ReviewToken } from '../ports/token-reviews.ts';
import type { KubeClient } from './client.ts';

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';
const TIMEOUT_MS = 5000;

interface Answer {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: { readonly username?: string };
    readonly audiences?: readonly string[];
  };
}

/** {@link ReviewToken} over the API server; needs create of tokenreviews. Nothing of it is stored anywhere. */
export const createReviewToken =
  (client: Pick<KubeClient, 'request'>): ReviewToken =>
  async (token, audiences, { signal } = {}) => {
    const { status } = await client.request<Answer>({
      verb: 'create',
      path: PATH,
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } },
      signal,
      timeoutMs: TIMEOUT_MS,
    });
    const isAuthenticated = status?.authenticated === true;
    return {
      authenticated: isAuthenticated,
      username: isAuthenticated ? (status.user?.username ?? '') : '',
      audiences: isAuthenticated ? (status.audiences ?? []) : [],
    };
  };
