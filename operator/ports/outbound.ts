/** What comes with a fetch: the authorities to trust beside the configured ones, and when to give up. */
export interface FetchOptions {
  /** A file of PEM certificates; the only ones trusted for this fetch. */
  readonly caFile?: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Fetches a JSON document from a URL that a resource names, within the limits of spec §6: https, no redirects,
 * bounded time and size, no address that only this process should reach.
 * @throws OutboundError whose message may be shown to users, unless it is an {@link UnreachableError}.
 */
export type FetchJson = (url: string, options?: FetchOptions) => Promise<unknown>;

/** An HTTP proxy that is asked for a connection (CONNECT). */
export interface OutboundProxy {
  readonly host: string;
  readonly port: number;
  /** Whether the connection to the proxy itself uses TLS. */
  readonly isSecure: boolean;
  /** The header `Proxy-Authorization`, a secret. */
  readonly authorization: string | undefined;
}

/** The proxy by which a host is reached; undefined: directly. */
export type FindProxy = (host: string, port: number) => OutboundProxy | undefined;

/** Why a fetch gave nothing; `message` holds neither a body nor a header. */
export class OutboundError extends Error {
  override readonly name: string = 'OutboundError';
}

/**
 * No answer came: an address that is not allowed or can't be reached, a certificate or a caFile that is not accepted, or a timeout. The
 * message says which, for the operator's log alone: it would tell a tenant about hosts, ports and files.
 */
export class UnreachableError extends OutboundError {
  override readonly name = 'UnreachableError';
}
