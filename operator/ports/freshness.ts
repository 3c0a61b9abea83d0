/**
 * Whether a positive answer may come from a cache (spec §3): its watch is fresh, which is an answer on its connection 10 s
 * ago at most, and an event or bookmark 90 s ago at most.
 */
export interface Freshness {
  readonly tokens: () => boolean;
  readonly issuedTokens: () => boolean;
  readonly tokenBatches: () => boolean;
  readonly clients: () => boolean;
  readonly signingKeys: () => boolean;
}
