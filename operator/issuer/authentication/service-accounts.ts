import { createHash } from 'node:crypto';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { unlessAborted } from '../../async/abort.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import type { FairKey } from '../../async/fair-queue.ts';
import { type FairSemaphore, runInTurn } from '../../async/fair-semaphore.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import { unauthenticatedKey } from '../../domain/caller-address.ts';
import { isSameIssuer } from '../../domain/client/issuer-identity.ts';
import { isJwtTypeIn } from '../../domain/jwt/jwt-type.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { ReviewToken } from '../../ports/token-reviews.ts';
import { calledOff, IssuerFailure } from '../failure.ts';
import type { Reader } from '../registry/live-reads.ts';
import type { CheckAssertion } from './client-assertions.ts';
import { isBearerOnly, type TrustedEndpoint } from './trusted-endpoints.ts';
import { hasAudience } from './unverified-jwt.ts';

export interface ServiceAccountsOptions {
  /** `issuer.url`: the audience that the token must have. */
  readonly issuerUrl: string;
  /** Whether a key of this issuer has that `kid`. An API server that trusts this issuer takes its tokens for those of whom they name. */
  readonly isOwnKid: (kid: string) => boolean;
  /** The external issuers whose bearers are trusted, of which the cluster may be one: their bearers are no assertions. */
  readonly endpoints: readonly TrustedEndpoint[];
  readonly reviewToken: ReviewToken;
  /** Limits what unauthenticated callers can make the API server do, and lets them take turns. */
  readonly queue: FairSemaphore;
  readonly clock: MonotonicClock;
}

/** A positive TokenReview, cached until a time in monotonic milliseconds. */
interface PositiveReview {
  readonly username: string;
  readonly until: number;
}

/** The longest time for which a positive review is cached (spec §4): a token of a deleted Pod or ServiceAccount is rejected after it. */
const KEPT_MS = 30_000;
const MAX_KEPT = 4096;
const DEADLINE_MS = 5000;

const usernamesOf = ({ spec }: OAuthClient): string[] =>
  (spec.authentication?.serviceAccounts ?? []).map(
    ({ namespace, name }) => `system:serviceaccount:${namespace}:${name}`,
  );

const unavailable = (cause: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the client can not be authenticated now, try again later', {
    detail: 'the API server can not review the token',
    cause,
  });

/** Requests TokenReviews, one at a time for each token and address. Positive ones are cached, negative ones are not. */
class Reviews {
  readonly #options: ServiceAccountsOptions;
  readonly #positive = new BoundedMap<string, PositiveReview>(MAX_KEPT);
  readonly #flights = new SingleFlight<string, string | undefined>();

  constructor(options: ServiceAccountsOptions) {
    this.#options = options;
  }

  /** The user name if the token is valid for the issuer's audience; else undefined. @throws IssuerFailure */
  async usernameOf(token: string, expiresAtMs: number, { key, signal }: Reader): Promise<string | undefined> {
    const { clock } = this.#options;
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.#positive.get(hash);
    if (known && clock.monotonic() < known.until) return known.username;
    const review = this.#flights.run(`${hash} ${key.group}`, () => this.#review(token, key));
    const askedAt = clock.monotonic();
    const username = await unlessAborted(review, signal, calledOff);
    if (username !== undefined) {
      const until = askedAt + Math.min(KEPT_MS, expiresAtMs - clock.now());
      this.#positive.set(hash, { username, until });
    }
    return username;
  }

  #review(token: string, key: FairKey): Promise<string | undefined> {
    const { clock, issuerUrl, queue, reviewToken } = this.#options;
    return runInTurn({ queue, key, deadline: { clock, ms: DEADLINE_MS } }, async (signal) => {
      const review = await reviewToken(token, [issuerUrl], { signal }).catch((error: unknown) => {
        throw unavailable(error);
      });
      // An API server that does not support audiences returns none, and has not checked the one requested.
      const isForUs = review.authenticated && review.audiences.includes(issuerUrl);
      return isForUs ? review.username : undefined;
    });
  }
}

/** Checks assertions that are projected ServiceAccount tokens (spec §4): by a TokenReview, if the unverified payload may be accepted. */
export const createServiceAccounts = (options: ServiceAccountsOptions): CheckAssertion => {
  const { issuerUrl, isOwnKid, endpoints, clock } = options;
  const reviews = new Reviews(options);
  return async ({ client, clientID, jwt, address, signal }) => {
    const { iss, sub, exp } = jwt.claims;
    const listed = usernamesOf(client);
    if (listed.length === 0 || typeof sub !== 'string' || !sub.startsWith('system:serviceaccount:')) {
      return undefined;
    }
    if (typeof iss === 'string' && isSameIssuer(iss, issuerUrl)) return { problem: 'iss is this issuer' };
    if (jwt.kid !== undefined && isOwnKid(jwt.kid))
      return { problem: 'it is signed by a key of this issuer' };
    if (isBearerOnly(endpoints, jwt.claims)) return { problem: 'it is a bearer of authorization.endpoints' };
    if (!isJwtTypeIn(jwt.type, ['jwt'])) return { problem: 'typ is not that of an assertion' };
    if (!listed.includes(sub)) return { problem: 'the ServiceAccount is not listed' };
    if (!hasAudience(jwt.claims, issuerUrl)) return { problem: 'aud lacks the issuer' };
    if (typeof exp !== 'number' || exp * 1000 <= clock.now()) return { problem: 'exp is missing or past' };
    const reader = { key: unauthenticatedKey({ address }, clientID), signal };
    const username = await reviews.usernameOf(jwt.jwt, exp * 1000, reader);
    if (username !== sub) return { problem: 'the API server does not know the token' };
    return { authenticated: { client, method: 'serviceAccount', subject: username } };
  };
};
