import type { LimitReason } from '../../api/conditions.ts';
import { keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';
import { type ClientLimits, type DefaultLimits, limitsOf } from '../../domain/client/client-rules.ts';
import type { Cache } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { IssuerFailure } from '../failure.ts';
import { type LiveTally, LiveTokens, type RecordCaches } from './live-tokens.ts';
import type { Rejections } from './rejections.ts';

/** A token that may be issued; for a client without limits there is none. */
export interface Admission {
  /** The token is recorded, or is not: to be called once. */
  end(): void;
  /** Nothing was issued, and nothing must count: the assertion was used before. */
  giveBack(): void;
}

/** Admits a token of an authenticated client (spec §4). @throws IssuerFailure `Limited` if the client has reached a limit */
export type AdmitToken = (client: OAuthClient) => Admission | undefined;

export interface ClientLimitsOptions {
  readonly clients: Pick<Cache<OAuthClient>, 'onChange'>;
  readonly records: RecordCaches;
  /** Runs `work` in a later turn of the event loop. */
  readonly defer: (work: () => void) => void;
  readonly defaults: DefaultLimits;
  /** The part of a client's rate that this replica may use now, above 0 and at most 1. */
  readonly share: () => number;
  readonly clock: MonotonicClock;
  readonly rejections: Pick<Rejections, 'note'>;
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

  /** The client's bucket, of the size that limit and share give it. */
  current(client: OAuthClient, limit: RateLimit, at: { share: number; now: number }): TokenBucket {
    return this.#current(client, limit, at).bucket;
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

const activeTokensExceeded = (activeTokens: number, retryAfterSeconds: number): IssuerFailure =>
  new IssuerFailure(
    'Limited',
    `the client has ${activeTokens} active token(s), as many as it may have: try again when one has expired or is revoked`,
    { retryAfterSeconds },
  );

/**
 * Makes {@link AdmitToken}, and the function that ends it. A client without limits costs a look at its spec, and nothing is kept
 * for it.
 */
export const createClientLimits = (options: ClientLimitsOptions): { admit: AdmitToken; stop: () => void } => {
  const { clients, records, defer, defaults, share, rejections, clock, metrics } = options;
  const rates = new ClientRates();
  const live = new LiveTokens(records, defer);
  const reject = (client: OAuthClient, why: LimitReason, failure: IssuerFailure): never => {
    metrics.tokenRequestRejected(why);
    rejections.note(client, why);
    throw failure;
  };

  const tallyOf = (client: OAuthClient, activeTokens: number): LiveTally => {
    if (!live.isKnown) {
      throw new IssuerFailure('Unavailable', 'the records of tokens are not read yet, try again later');
    }
    const tally = live.of(client);
    if (tally.count(clock.now()) < activeTokens) return tally;
    const retryAfterSeconds = tally.secondsUntilExpiry(clock.now());
    return reject(client, 'ActiveTokensExceeded', activeTokensExceeded(activeTokens, retryAfterSeconds));
  };

  const admit: AdmitToken = (client) => {
    const { rate, activeTokens } = limitsOf(client, defaults);
    if (rate === undefined && activeTokens === undefined) return undefined;
    // First, since it takes nothing.
    const tally = activeTokens === undefined ? undefined : tallyOf(client, activeTokens);
    const now = clock.monotonic();
    const bucket = rate && rates.current(client, rate, { share: share(), now });
    const waitMs = bucket?.take(now) ?? 0;
    if (rate && waitMs > 0) reject(client, 'RateExceeded', rateExceeded(rate.tokensPerSecond, waitMs));
    if (tally) tally.pending += 1;
    return {
      end: () => {
        if (tally) tally.pending -= 1;
      },
      giveBack: () => bucket?.giveBack(),
    };
  };

  const stops = [
    live.connect(),
    clients.onChange((change) => {
      const limits = change.type === 'set' ? limitsOf(change.object, defaults) : undefined;
      if (limits?.rate === undefined) rates.forget(change.key);
      if (limits?.activeTokens === undefined) live.forget(change.key);
    }),
  ];
  return {
    admit,
    stop: () => {
      for (const stop of stops) stop();
    },
  };
};
