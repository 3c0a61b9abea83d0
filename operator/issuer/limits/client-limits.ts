import { keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';
import { type ClientLimits, type DefaultLimits, limitsOf } from '../../domain/client/client-limits.ts';
import type { Cache } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { IssuerFailure } from '../failure.ts';

/** A token that may be issued; for a client without limits there is none. */
export interface Admission {
  /** The token is recorded, or is not: to be called once. */
  end(): void;
  /** Nothing was issued, and nothing must count: the assertion was used before. To be called before {@link Admission.end}. */
  giveBack(): void;
}

/** Admits a token of an authenticated client (spec §4). @throws IssuerFailure `Limited` if the client has reached a limit */
export type AdmitToken = (client: OAuthClient) => Admission | undefined;

export interface ClientLimitsOptions {
  readonly clients: Pick<Cache<OAuthClient>, 'onChange'>;
  readonly defaults: DefaultLimits;
  /** The part of a client's rate that this replica may use now, above 0 and at most 1. */
  readonly share: () => number;
  readonly clock: MonotonicClock;
  readonly metrics: Pick<Metrics, 'tokenRequestRejected'>;
}

type RateLimit = NonNullable<ClientLimits['rate']>;

/** A client's bucket on this replica, and what its size was made from. */
interface SharedBucket {
  readonly bucket: TokenBucket;
  readonly uid: string;
  readonly limit: RateLimit;
  readonly share: number;
}

/** A replica may always issue one at once: a burst smaller than the number of replicas would let none through. */
const rateOf = ({ tokensPerSecond, burst }: RateLimit, share: number): Rate => ({
  burst: Math.max(1, burst * share),
  refillMs: 1000 / (tokensPerSecond * share),
});

const rateExceeded = (tokensPerSecond: number, waitMs: number): IssuerFailure =>
  new IssuerFailure(
    'Limited',
    `the client gets at most ${tokensPerSecond} token(s) per second, try again later`,
    { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) },
  );

/** The rates of clients on this replica. It holds a bucket for each client with a rate that has asked for a token. */
class ClientRates {
  /** By `<namespace>/<name>`: at most as many as there are clients. */
  readonly #buckets = new Map<string, SharedBucket>();

  /** Takes a token, and returns the bucket. @throws IssuerFailure */
  take(client: OAuthClient, limit: RateLimit, { share, now }: { share: number; now: number }): TokenBucket {
    const { bucket } = this.#current(client, limit, { share, now });
    const waitMs = bucket.take(now);
    if (waitMs > 0) throw rateExceeded(limit.tokensPerSecond, waitMs);
    return bucket;
  }

  forget(key: string): void {
    this.#buckets.delete(key);
  }

  #current(
    { metadata }: OAuthClient,
    limit: RateLimit,
    { share, now }: { share: number; now: number },
  ): SharedBucket {
    const key = keyOf(metadata);
    const known = this.#buckets.get(key);
    const { uid } = metadata;
    if (known === undefined || known.uid !== uid) {
      const made = { bucket: new TokenBucket(rateOf(limit, share)), uid, limit, share };
      this.#buckets.set(key, made);
      return made;
    }
    const { tokensPerSecond, burst } = known.limit;
    if (known.share === share && tokensPerSecond === limit.tokensPerSecond && burst === limit.burst)
      return known;
    const resized = { ...known, limit, share };
    known.bucket.resize(rateOf(limit, share), now);
    this.#buckets.set(key, resized);
    return resized;
  }
}

/**
 * Makes {@link AdmitToken}, and the function that ends it. A client without limits costs a look at its spec, and nothing is kept
 * for it.
 */
export const createClientLimits = ({
  clients,
  defaults,
  share,
  clock,
  metrics,
}: ClientLimitsOptions): { admit: AdmitToken; stop: () => void } => {
  const rates = new ClientRates();
  const stop = clients.onChange(({ type, key }) => {
    if (type === 'delete') rates.forget(key);
  });
  const admit: AdmitToken = (client) => {
    const { rate } = limitsOf(client, defaults);
    if (rate === undefined) return undefined;
    try {
      const bucket = rates.take(client, rate, { share: share(), now: clock.monotonic() });
      return { end: () => undefined, giveBack: () => bucket.giveBack() };
    } catch (error) {
      metrics.tokenRequestRejected('RateExceeded');
      throw error;
    }
  };
  return { admit, stop };
};
