/** Whether a watch is fresh in a namespace; if none is given, in all namespaces that exist. */
type IsFresh = (namespace?: string) => boolean;

/**
 * Whether a positive answer may come from a cache (spec §3): its watch is fresh, which is an answer on its connection 10 s
 * ago at most, and an event or bookmark 90 s ago at most.
 */
export interface Freshness {
  readonly tokens: IsFresh;
  readonly issuedTokens: IsFresh;
  readonly tokenBatches: IsFresh;
  readonly clients: IsFresh;
  readonly signingKeys: () => boolean;
}
