import { createHash } from 'node:crypto';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { unlessAborted } from '../../async/abort.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { withDeadline } from '../../async/deadline.ts';
import { createSemaphore } from '../../async/semaphore.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { ReviewToken } from '../../ports/token-reviews.ts';
import { calledOff, IssuerFailure, SEMAPHORE_ERRORS } from '../failure.ts';
import type { CheckAssertion } from './assertion.ts';
import { hasAudience } from './unverified-jwt.ts';

export interface ServiceAccountsOptions {
  /** `issuer.url` of the configuration: the audience that the token has to be for. */
  readonly issuerUrl: string;
  readonly reviewToken: ReviewToken;
  readonly clock: MonotonicClock;
}

/** A TokenReview that said yes, believed until then: monotonic milliseconds. */
interface Yes {
  readonly username: string;
  readonly until: number;
}

/** Spec §4: a token that is revoked (its Pod or ServiceAccount deleted) is refused after this at the latest. */
const KEPT_MS = 30_000;
const MAX_KEPT = 4096;
const DEADLINE_MS = 5000;
/** TokenReviews are work for the API server that nobody has been authenticated for. */
const REVIEWS = { atOnce: 16, waiting: 256 };

const usernamesOf = ({ spec }: OAuthClient): string[] =>
  (spec.authentication?.serviceAccounts ?? []).map(
    ({ namespace, name }) => `system:serviceaccount:${namespace}:${name}`,
  );

const unavailable = (cause: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the client can not be authenticated now, try again later', {
    detail: 'the API server can not review the token',
    cause,
  });

/** Asks for TokenReviews: of one token once at a time, and not again while a yes is believed. A no is not kept. */
class Reviews {
  readonly #options: ServiceAccountsOptions;
  readonly #semaphore = createSemaphore({ ...REVIEWS, errors: SEMAPHORE_ERRORS });
  readonly #yes = new BoundedMap<string, Yes>(MAX_KEPT);
  readonly #flights = new SingleFlight<string, string | undefined>();

  constructor(options: ServiceAccountsOptions) {
    this.#options = options;
  }

  /** The user name, where the token is good for our audience. @throws IssuerFailure */
  async usernameOf(token: string, expiresAtMs: number, signal: AbortSignal): Promise<string | undefined> {
    const { clock } = this.#options;
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.#yes.get(hash);
    if (known && clock.monotonic() < known.until) return known.username;
    const review = this.#flights.run(hash, () => this.#review(token));
    const askedAt = clock.monotonic();
    const username = await unlessAborted(review, signal, calledOff);
    if (username !== undefined) {
      const until = askedAt + Math.min(KEPT_MS, expiresAtMs - clock.now());
      this.#yes.set(hash, { username, until });
    }
    return username;
  }

  #review(token: string): Promise<string | undefined> {
    const { clock, issuerUrl, reviewToken } = this.#options;
    return withDeadline({ clock, ms: DEADLINE_MS }, (signal) =>
      this.#semaphore.run(async () => {
        const review = await reviewToken(token, [issuerUrl], { signal }).catch((error: unknown) => {
          throw unavailable(error);
        });
        // An API server that knows nothing of audiences leaves them out: then it has not checked ours.
        const isForUs = review.authenticated && review.audiences.includes(issuerUrl);
        return isForUs ? review.username : undefined;
      }, signal),
    );
  }
}

/** The assertion is a projected token of a ServiceAccount (spec §4): the API server is asked, once the token itself says that it may be one. */
export const createServiceAccounts = (options: ServiceAccountsOptions): CheckAssertion => {
  const { issuerUrl, clock } = options;
  const reviews = new Reviews(options);
  return async ({ client, jwt, signal }) => {
    const { sub, exp } = jwt.claims;
    const listed = usernamesOf(client);
    if (listed.length === 0 || typeof sub !== 'string' || !sub.startsWith('system:serviceaccount:')) {
      return undefined;
    }
    if (!listed.includes(sub)) return { problem: 'the ServiceAccount is not listed' };
    if (!hasAudience(jwt.claims, issuerUrl)) return { problem: 'aud lacks the issuer' };
    if (typeof exp !== 'number' || exp * 1000 <= clock.now()) return { problem: 'exp is missing or past' };
    const username = await reviews.usernameOf(jwt.jwt, exp * 1000, signal);
    if (username !== sub) return { problem: 'the API server does not know the token' };
    return { proved: { client, method: 'serviceAccount', subject: username } };
  };
};
