/** What comes with a fetch: the authorities to trust beside the configured ones, and when to give up. */
export interface FetchOptions {
  /** A file of PEM certificates; the only ones trusted for this fetch. */
  readonly caFile?: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Fetches a JSON document from a URL that a resource names, within the limits of spec §6: https, no redirects,
 * bounded time and size, no address that only this process should reach.
 * @throws OutboundError whose message may be shown to users.
 */
export type FetchJson = (url: string, options?: FetchOptions) => Promise<unknown>;

/** Why a fetch gave nothing; `message` holds neither a body nor a header. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
}
